//! The built binary as a process.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

/// A running `ffasr`; killed when dropped.
pub struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
}

/// The HTTP client brings no TLS provider of its own.
pub(crate) fn install_tls() {
    // An error means that another test of this process was first.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// `target/<profile>/ffasr`, beside the directory of this test's own binary.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().and_then(Path::parent).unwrap().join("ffasr");
    assert!(path.exists(), "{} is not built; run the tests with `make test`", path.display());
    path
}

fn command(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary());
    command.args(arguments).env("FFASR_DATA", data).stdin(Stdio::null());
    command
}

impl Program {
    /// Runs `ffasr` to its end.
    pub fn output(data: &Path, arguments: &[&str]) -> Output {
        Self::output_in(data, arguments, &[])
    }

    /// Runs `ffasr` to its end, with more in its environment.
    pub fn output_in(data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        command(data, arguments).envs(environment.iter().copied()).output().unwrap()
    }

    /// Runs `ffasr`, which must succeed: its standard output.
    pub fn run(data: &Path, arguments: &[&str]) -> String {
        let output = Self::output(data, arguments);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "ffasr {}: {errors}", arguments.join(" "));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Starts `ffasr` and goes on.
    pub fn start(data: &Path, arguments: &[&str]) -> Self {
        Self::start_in(data, arguments, &[])
    }

    /// Starts `ffasr` with more in its environment, and goes on.
    pub fn start_in(data: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(data, arguments);
        command.envs(environment.iter().copied());
        Self::spawn(command)
    }

    /// Starts `ffasr` by another program, whose command line it is put behind.
    pub fn start_by(prefix: &[String], data: &Path, arguments: &[&str]) -> Self {
        let mut command = Command::new(&prefix[0]);
        command.args(&prefix[1..]).arg(binary()).args(arguments);
        command.env("FFASR_DATA", data).stdin(Stdio::null());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = mpsc::channel();
        let errors = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || {
            for line in errors.lines().map_while(Result::ok) {
                // Also to the test's own output, which is shown when it fails.
                eprintln!("ffasr: {line}");
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines }
    }

    /// Waits for a line of standard error that starts with `start`; the rest of it.
    pub fn said(&self, start: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(Duration::from_mins(2));
            let line = line.unwrap_or_else(|error| panic!("ffasr did not say `{start}…`: {error}"));
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    /// Waits for a line of standard error that contains `part`.
    pub fn mentions(&self, part: &str) {
        loop {
            let line = self.lines.recv_timeout(Duration::from_mins(2));
            let line = line.unwrap_or_else(|error| panic!("ffasr did not mention `{part}`: {error}"));
            if line.contains(part) {
                return;
            }
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
