//! Which processes of a control plane run, and do they still?
//!
//! Input: programs and settings; output: processes in one guarded group, each with its log. When
//! one ends by itself, the end of its log says why. It knows nothing of what is asked of them.

use std::fs::{self, File};
use std::future::Future;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::{Duration, Instant};

use axum::http::Request;
use kube::config::{KubeConfigOptions, Kubeconfig};

use super::build::unique_folder;
use super::components::{self, Layout, Secrets};
use super::error::Error;
use super::guard::ProcessGroup;
use super::locate::Programs;
use super::log;
use super::modules::Program;

/// How often something awaited is looked for.
const POLL: Duration = Duration::from_millis(25);

/// The processes of one control plane.
pub(super) struct Processes {
    group: ProcessGroup,
    running: Vec<(Program, usize)>,
    programs: Programs,
    layout: Layout,
    secrets: Secrets,
    port: u16,
    audit: bool,
    further: Vec<(Program, String)>,
}

impl Processes {
    /// A folder with everything that does not depend on the port; nothing runs yet.
    pub(super) fn prepare(
        programs: Programs,
        audit: bool,
        further: Vec<(Program, String)>,
    ) -> Result<Self, Error> {
        let temporary = std::env::temp_dir();
        let temporary =
            std::path::absolute(&temporary).map_err(Error::system("find", &temporary))?;
        let dir = unique_folder(&temporary.join("linkspan"))?;
        let group = ProcessGroup::new(&dir).map_err(Error::system("start", "/bin/sh"))?;
        let layout = Layout { dir };
        let secrets = Secrets::new()?;
        let settings = components::settings(&layout);
        for (name, text) in secrets.files.iter().chain(&settings) {
            write(&layout.file(name), text)?;
        }
        let (running, port) = (Vec::new(), 0);
        Ok(Self { group, running, programs, layout, secrets, port, audit, further })
    }

    pub(super) const fn programs(&self) -> &Programs {
        &self.programs
    }

    pub(super) const fn group(&self) -> i32 {
        self.group.id()
    }

    pub(super) const fn layout(&self) -> &Layout {
        &self.layout
    }

    pub(super) fn admin_kubeconfig(&self) -> String {
        self.secrets.kubeconfigs(self.port).remove("admin.kubeconfig").unwrap_or_default()
    }

    /// Starts one program.
    pub(super) fn run(&mut self, program: Program) -> Result<(), Error> {
        let log = self.layout.log(program);
        let output = File::create(&log).map_err(Error::system("create", &log))?;
        let errors = output.try_clone().map_err(Error::system("open", &log))?;
        let path = self.programs.path(program);
        let further = self.further.iter().filter(|(of, _)| *of == program);
        let number = self
            .group
            .spawn(
                Command::new(path)
                    .args(components::arguments(program, &self.layout, self.port, self.audit))
                    .args(further.map(|(_, argument)| argument))
                    .current_dir(&self.layout.dir)
                    // Nothing of the user's is read or written: kwok has settings in `~`.
                    .env_clear()
                    .env("HOME", &self.layout.dir)
                    .env("TMPDIR", &self.layout.dir)
                    .stdout(output)
                    .stderr(errors),
            )
            .map_err(Error::system("start", path))?;
        self.running.push((program, number));
        Ok(())
    }

    /// Starts the API server on a free port and waits until it is ready; how to connect.
    ///
    /// Between choosing a free port and listening on it, another process may take it: then there
    /// is another port.
    pub(super) async fn run_api_server(
        &mut self,
        deadline: Instant,
    ) -> Result<kube::Config, Error> {
        let mut tries = 0;
        loop {
            tries += 1;
            self.port = free_port()?;
            for (name, text) in self.secrets.kubeconfigs(self.port) {
                write(&self.layout.file(&name), &text)?;
            }
            let kubeconfig = Kubeconfig::from_yaml(&self.admin_kubeconfig())?;
            let options = KubeConfigOptions::default();
            let mut config = kube::Config::from_custom_kubeconfig(kubeconfig, &options).await?;
            // That of the environment leads off this machine.
            config.proxy_url = None;
            let client = kube::Client::try_from(config.clone())
                .map_err(|source| Error::Refused { doing: "connect", source })?;

            self.run(Program::KubeApiserver)?;
            let ready = self.until("ready API server", Program::KubeApiserver, deadline, || {
                is_ready(client.clone())
            });
            match ready.await {
                Ok(()) => return Ok(config),
                Err(Error::Ended { program: Program::KubeApiserver, tail, .. })
                    if tries < 5 && tail.contains("address already in use") =>
                {
                    self.running.retain(|(program, _)| *program != Program::KubeApiserver);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Waits for something that `program` should see to.
    ///
    /// An error of the API server means "not yet": it refuses connections while it starts and
    /// requests while it sets up RBAC.
    pub(super) async fn until<F>(
        &mut self,
        waiting_for: &'static str,
        program: Program,
        deadline: Instant,
        is_there: impl Fn() -> F,
    ) -> Result<(), Error>
    where
        F: Future<Output = Result<bool, kube::Error>>,
    {
        let started = Instant::now();
        while !is_there().await.unwrap_or(false) {
            self.failed()?;
            if Instant::now() > deadline {
                let after = started.elapsed();
                let tail = log::tail(&self.layout.log(program));
                return Err(Error::NotReady { waiting_for, after, program, tail });
            }
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// An error if a program has ended by itself.
    pub(super) fn failed(&mut self) -> Result<(), Error> {
        for (program, number) in self.running.clone() {
            if let Some(status) = self.exit(program, number)? {
                let tail = log::tail(&self.layout.log(program));
                return Err(Error::Ended { program, status, tail });
            }
        }
        Ok(())
    }

    fn exit(&mut self, program: Program, number: usize) -> Result<Option<ExitStatus>, Error> {
        let path = self.programs.path(program);
        self.group.exit(number).map_err(Error::system("wait for", path))
    }
}

async fn is_ready(client: kube::Client) -> Result<bool, kube::Error> {
    let request = Request::get("/readyz").body(Vec::new()).map_err(kube::Error::HttpError)?;
    Ok(client.request_text(request).await? == "ok")
}

fn free_port() -> Result<u16, Error> {
    let address = "127.0.0.1:0";
    let port = || TcpListener::bind(address)?.local_addr();
    Ok(port().map_err(Error::system("listen on", PathBuf::from(address)))?.port())
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(Error::system("write", path))
}
