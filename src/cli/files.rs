//! The files that every command reads, and how it ends where they cannot be read.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use onramp_finding::{Failure, Finding, Kind};
use onramp_language::{Gateway, Overrides, Reading};

use super::report::{self, Format};
use crate::logs;

#[derive(Debug, clap::Args)]
pub(crate) struct Files {
    /// The gateway file.
    #[arg(long, env = "ONRAMP_CONFIG", default_value = "onramp.yaml")]
    pub(crate) config: PathBuf,
    /// A value that comes before the gateway file's, e.g. `source.url=postgres://…`.
    #[arg(long = "set", value_name = "PATH=VALUE")]
    set: Vec<String>,
    /// How logs are written.
    #[arg(long, value_enum, default_value = "text")]
    pub(super) logs: logs::Format,
}

impl Files {
    /// Reads everything that the files say, with every fault, and does the work; where the gateway
    /// file itself cannot be read that is all there is to say.
    pub(super) fn with_reading(
        &self,
        format: Format,
        work: impl FnOnce(&Reading, &Gateway) -> ExitCode,
    ) -> ExitCode {
        let refused = |findings: &[Finding]| report::refused(format, Kind::Configuration, findings);
        let reading = match self.overrides() {
            Ok(overrides) => onramp_language::read(&self.config, &overrides),
            Err(findings) => return refused(&findings),
        };
        match &reading.gateway {
            Some(gateway) => work(&reading, gateway),
            None => refused(&reading.findings),
        }
    }

    /// What comes before the gateway file's own values.
    pub(super) fn overrides(&self) -> Result<Overrides, Vec<Finding>> {
        Overrides::from_process(&self.set)
    }

    /// Loads the files, does the work, prints what is wrong with either.
    pub(super) fn with_gateway(
        &self,
        format: Format,
        work: impl FnOnce(Gateway) -> Result<(), Failure>,
    ) -> ExitCode {
        let loaded = match self
            .overrides()
            .and_then(|overrides| onramp_language::load(&self.config, &overrides))
        {
            Ok(loaded) => loaded,
            Err(findings) => return report::refused(format, Kind::Configuration, &findings),
        };
        report::print(std::io::stderr(), &loaded.warnings);
        match work(loaded.gateway) {
            Ok(()) => ExitCode::SUCCESS,
            Err(mut failure) => {
                for finding in &mut failure.findings {
                    name_the_command(finding, &self.config);
                }
                report::failed(format, &failure)
            }
        }
    }
}

/// Whoever finds that log was lost does not know by which file it was told to run.
fn name_the_command(finding: &mut Finding, config: &Path) {
    if let Some(remedy) = &mut finding.remedy {
        let command = format!("`onramp recover --config {}`", config.display());
        *remedy = remedy.replace("`onramp recover`", &command);
    }
}
