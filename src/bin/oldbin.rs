//! `oldbin`: see `oldbin --help`.

fn main() -> std::process::ExitCode {
    fake_nginx::run_if_stamped();
    orchestrator::cli::main()
}
