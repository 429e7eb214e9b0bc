//! `fake-nginx`: nginx without nginx. A stamped copy is a release; the unstamped one makes stamps.

fn main() -> std::process::ExitCode {
    fake_nginx::run_if_stamped();
    fake_nginx::cli::main()
}
