//! PATCH /api/plan

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::PLAN)
}
