//! The files of the final stage of `deploy/Dockerfile`, in a directory, and commands that see only
//! these files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::unistd::geteuid;
use tokio::process::Command;

use super::{arguments, repository};

const FAREBOX: &str = env!("CARGO_BIN_EXE_farebox");

/// The shared libraries of gcr.io/distroless/cc-debian12 that a Rust program may need.
const LIBRARIES: [&str; 8] = [
    "ld-linux-aarch64.so.1",
    "ld-linux-x86-64.so.2",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
];

/// The instructions of the Dockerfile: name and arguments.
pub struct Dockerfile(Vec<(String, String)>);

impl Dockerfile {
    pub fn read() -> Self {
        let text = fs::read_to_string(repository().join("deploy/Dockerfile")).unwrap();
        let text: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        let text = text.join("\n").replace("\\\n", "");
        let split = |line: &str| {
            let (name, rest) = line.split_once(' ').unwrap();
            (name.to_owned(), rest.to_owned())
        };
        Self(text.lines().filter(|line| !line.is_empty()).map(split).collect())
    }

    pub fn values(&self, name: &str) -> Vec<&str> {
        let named = self.0.iter().filter(|(instruction, _)| instruction == name);
        named.map(|(_, value)| value.as_str()).collect()
    }

    fn value(&self, name: &str) -> &str {
        let [value] = self.values(name)[..] else { panic!("{name} is not there exactly once") };
        value
    }

    /// The program and arguments of an instruction in JSON.
    fn words(&self, name: &str) -> Vec<String> {
        let value = self.value(name);
        serde_json::from_str(&value[value.find('[').unwrap()..]).unwrap()
    }
}

pub struct Image {
    root: PathBuf,
    file: Dockerfile,
    isolation: Isolation,
}

/// The way to run a program in a directory as its root.
enum Isolation {
    /// As the image's user.
    Root,
    /// In a namespace of its own, as this process's user.
    UserNamespace,
    /// Not possible on this machine: the program sees every file.
    None,
}

impl Image {
    /// Makes a directory with the files of the final stage. The binary of the tests takes the place of
    /// the release build.
    pub async fn assemble(root: &Path) -> Self {
        let file = Dockerfile::read();
        fs::create_dir_all(root).unwrap();
        let isolation =
            if geteuid().is_root() { Isolation::Root } else { Isolation::UserNamespace };
        let mut image = Self { root: root.to_owned(), file, isolation };
        let copied = image.file.values("COPY");
        let [". .", copied] = copied[..] else { panic!("{copied:?}") };
        let (built, target) =
            copied.strip_prefix("--from=build ").unwrap().split_once(' ').unwrap();
        let build = image.file.value("RUN");
        assert!(build.contains("cargo build --release --locked --bin farebox"), "{build}");
        assert!(build.ends_with(&format!("cp target/release/farebox {built}")), "{build}");
        image.mount(Path::new(FAREBOX), target);
        for library in libraries().await {
            let name = library.file_name().unwrap().to_str().unwrap();
            assert!(LIBRARIES.contains(&name), "the image does not have {name}");
            image.mount(&library, library.to_str().unwrap());
        }
        let certificates = Path::new("/etc/ssl/certs/ca-certificates.crt");
        if certificates.exists() {
            image.mount(certificates, certificates.to_str().unwrap());
        }
        image.check_isolation().await;
        image
    }

    /// Puts a file of this machine into the image.
    pub fn mount(&self, file: &Path, path: &str) {
        let target = self.root.join(path.trim_start_matches('/'));
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(file, &target).unwrap();
        fs::set_permissions(&target, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// A run of the image with these arguments, and nothing in its environment.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.execute(&self.file.words("ENTRYPOINT"), arguments)
    }

    /// A service of `compose.yaml` that runs the image.
    pub fn run(&self, service: &str) -> Command {
        let arguments = arguments(service);
        self.command(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub fn health_check(&self) -> Command {
        self.execute(&self.file.words("HEALTHCHECK"), &[])
    }

    fn execute(&self, program: &[String], arguments: &[&str]) -> Command {
        let [path, rest @ ..] = program else { panic!("there is no program") };
        let mut command = match self.isolation {
            Isolation::None => Command::new(self.root.join(path.trim_start_matches('/'))),
            Isolation::Root => {
                let mut command = Command::new(chroot());
                command.arg(format!("--userspec={}", self.file.value("USER")));
                command.arg(&self.root).arg(path);
                command
            }
            Isolation::UserNamespace => {
                let mut command = Command::new("/usr/bin/unshare");
                command.arg("--map-root-user").arg(chroot()).arg(&self.root).arg(path);
                command
            }
        };
        command.args(rest).args(arguments).env_clear().kill_on_drop(true);
        command
    }

    /// Does without isolation if this machine does not allow it.
    async fn check_isolation(&mut self) {
        let is_refused = match self.command(&["--version"]).output().await {
            // chroot's own failure. The program may fail only if the image lacks a file.
            Ok(output) => match self.isolation {
                Isolation::Root => output.status.code() == Some(125),
                _ => !output.status.success(),
            },
            Err(_) => true,
        };
        if is_refused {
            eprintln!("this machine does not allow chroot: the image's program sees every file");
            self.isolation = Isolation::None;
        }
    }
}

fn chroot() -> &'static str {
    let paths = ["/usr/sbin/chroot", "/usr/bin/chroot"];
    paths.into_iter().find(|path| Path::new(path).exists()).unwrap_or("chroot")
}

/// The libraries that the binary loads, at the paths where it looks for them.
async fn libraries() -> Vec<PathBuf> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let output = Command::new("ldd").arg(FAREBOX).output().await.unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let words = output.split_whitespace().filter(|word| word.starts_with('/'));
    words.map(PathBuf::from).collect()
}
