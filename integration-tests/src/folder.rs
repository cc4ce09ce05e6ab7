//! A gateway's folder of one test's own, for commands that need no servers.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use crate::binary;

/// The folder, with one around it; both go with the test.
pub struct Folder(TempDir);

impl Folder {
    /// A folder of these files.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn with(files: &[(&str, &str)]) -> Folder {
        let folder = Folder(tempfile::tempdir().expect("there is room for files"));
        std::fs::create_dir(folder.path()).expect("the folder is writable");
        for (name, text) in files {
            folder.write(name, text);
        }
        folder
    }

    /// Where it is.
    pub fn path(&self) -> PathBuf {
        self.around().join("shop")
    }

    /// The folder around it: a gateway need not stand at the top of a repository.
    pub fn around(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, and the folders that it stands in.
    ///
    /// # Panics
    /// Where it cannot be written.
    pub fn write(&self, name: &str, text: &str) {
        let path = self.at(name);
        let parent = path.parent().expect("a file stands in a folder");
        std::fs::create_dir_all(parent).expect("the folder is writable");
        std::fs::write(path, text).expect("the folder is writable");
    }

    /// A file's text.
    ///
    /// # Panics
    /// Where there is no such text.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.at(name)).expect("the file is there")
    }

    /// Runs the program in the folder, for a terminal of 80 columns.
    ///
    /// # Panics
    /// Where there is no program.
    pub fn run(&self, arguments: &[&str]) -> Output {
        Command::new(binary())
            .args(arguments)
            .current_dir(self.path())
            .env("COLUMNS", "80")
            .output()
            .expect("the binary onramp is built (`cargo build`)")
    }

    /// What a command says under `--format json`, and its exit code.
    ///
    /// # Panics
    /// Where it says anything else.
    pub fn json(&self, arguments: &[&str]) -> (Value, i32) {
        let output = self.run(&[arguments, &["--format", "json"]].concat());
        let said = serde_json::from_slice(&output.stdout).expect("JSON");
        (said, output.status.code().expect("it ended by itself"))
    }

    /// The codes that a command found, in order, and its exit code.
    ///
    /// # Panics
    /// Where it tells no findings.
    pub fn found(&self, arguments: &[&str]) -> (Vec<String>, i32) {
        let (said, code) = self.json(arguments);
        let findings = said["findings"].as_array().expect("findings");
        let codes = findings.iter().map(|f| f["code"].as_str());
        let codes = codes.map(|code| code.expect("a code").to_owned());
        (codes.collect(), code)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }
}
