//! POST /api/chat/save

fn main() -> std::process::ExitCode {
    api::serve(&shared::endpoints::CHAT_SAVE)
}
