//! The command line's entry.
#![allow(clippy::all)]
fn main() {
    let _ = linkspan::controller::start_logging(
        linkspan::controller::LogFormat::Human,
        &std::env::var("LOG").unwrap_or("info,linkspan=info".into()),
    );
    let s = linkspan::sandbox::Sandbox {
        once: std::env::args().any(|a| a == "--once"),
        keep: std::env::args().any(|a| a == "--keep"),
        ..Default::default()
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { println!("{:?}", linkspan::sandbox::run(s).await) });
}
