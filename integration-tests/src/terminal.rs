//! A terminal of some size, as a person has one.

use std::process::Command;

/// What python makes of a command: it gives it a terminal, and hands on what comes to it.
const ON_A_TERMINAL: &str = "
import fcntl, os, pty, struct, sys, termios
pid, terminal = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack('HHHH', 24, int(sys.argv[1]), 0, 0))
    os.execv(sys.argv[2], sys.argv[2:])
while True:
    try:
        part = os.read(terminal, 65536)
    except OSError:
        break
    if not part:
        break
    os.write(1, part)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
";

/// The same command on a terminal so many columns wide: standard output and error are one stream then.
pub fn on_a_terminal(command: &Command, columns: u16) -> Command {
    let mut outer = Command::new("python3");
    outer
        .args(["-c", ON_A_TERMINAL, &columns.to_string()])
        .arg(command.get_program())
        .args(command.get_args())
        .env_remove("COLUMNS")
        .env_remove("NO_COLOR");
    for (name, value) in command.get_envs().filter(|(name, _)| *name != "COLUMNS") {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    if let Some(folder) = command.get_current_dir() {
        outer.current_dir(folder);
    }
    outer
}

/// What stands on the screen in the end: no colours, and of a line that was written anew the last.
///
/// # Panics
/// Where the terminal is told something else than colours and to empty a line.
pub fn screen(said: &str) -> String {
    let said = said.replace("\r\n", "\n");
    let lines = said.split('\n').map(|line| {
        let last = line.rsplit("\r\u{1b}[K").next().unwrap_or_default();
        plain(last)
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Without colours.
fn plain(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (colour, rest) = part.split_once('m').expect("a colour");
        let digits = colour.strip_prefix('[').expect("a colour");
        let fits = digits.chars().all(|c| c.is_ascii_digit() || c == ';');
        assert!(fits, "the terminal is told {colour:?}");
        out.push_str(rest);
    }
    out
}
