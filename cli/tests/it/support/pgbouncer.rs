use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use dev_services::process::free_port;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::until;

/// PgBouncer in transaction mode, for one test.
pub struct PgBouncer {
    pub address: SocketAddr,
    _child: Child,
}

impl PgBouncer {
    /// `None` if PgBouncer is not installed.
    pub async fn start(upstream: SocketAddr, user: &str, database: &str) -> Option<Self> {
        let found = ["/usr/sbin/pgbouncer", "/usr/bin/pgbouncer", "/usr/local/bin/pgbouncer"]
            .into_iter()
            .find(|path| Path::new(path).exists())?;
        let port = free_port().unwrap();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let settings = format!(
            "[databases]\n\
             {database} = host={} port={} dbname={database} user={user}\n\
             [pgbouncer]\n\
             listen_addr = 127.0.0.1\n\
             listen_port = {port}\n\
             unix_socket_dir =\n\
             auth_type = any\n\
             pool_mode = transaction\n\
             ignore_startup_parameters = extra_float_digits\n\
             default_pool_size = 3\n",
            upstream.ip(),
            upstream.port(),
        );
        let file = std::env::temp_dir().join(format!("farebox-pgbouncer-{port}.ini"));
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new(found);
        if nix::unistd::geteuid().is_root() {
            // PgBouncer refuses to run as root.
            command.args(["-u", "nobody"]);
        }
        command.arg(&file).stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
        let child = command.spawn().unwrap();
        until(async || TcpStream::connect(address).await.is_ok()).await;
        std::fs::remove_file(&file).unwrap();
        Some(Self { address, _child: child })
    }
}
