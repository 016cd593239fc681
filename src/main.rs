//! The `runsheet` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(runsheet::cli::run().code())
}
