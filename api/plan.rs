//! PATCH /api/plan

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::PLAN)
}
