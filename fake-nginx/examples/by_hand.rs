//! By hand.
fn main() {
    fake_nginx::run_if_stamped();
    let a: Vec<String> = std::env::args().collect();
    let mut s = fake_nginx::stamp::Stamp::new(a[1].parse().unwrap());
    s.overrides = vec![fake_nginx::release::Override::DebianPidfile];
    s.configure_arguments = "--with-threads".into();
    s.prefix = "/usr/share/nginx/".into();
    s.conf = "/etc/nginx/nginx.conf".into();
    s.pid = "/run/nginx.pid".into();
    s.error_log = if a[1].starts_with("1.18") { "/var/log/nginx/error.log".into() } else { "stderr".into() };
    if a.len() > 3 {
        s.fault = serde_json::from_str(&a[3]).unwrap();
    }
    fake_nginx::stamp::write(&s, a[2].as_ref()).unwrap();
}
