//! POST /api/chat/save

fn main() -> std::process::ExitCode {
    functions::serve(&shared::endpoints::CHAT_SAVE)
}
