//! Every route in one function, for plans that cap their number.

fn main() -> std::process::ExitCode {
    api::serve_all(shared::endpoints::ALL)
}
