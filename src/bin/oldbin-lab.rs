//! `oldbin-lab`: see `oldbin-lab --help`.

fn main() -> std::process::ExitCode {
    fake_nginx::run_if_stamped();
    scenarios::cli::main()
}
