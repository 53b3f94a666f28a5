//! The `ftpspec` command.

fn main() -> std::process::ExitCode {
    ftpspec::cli::main()
}
