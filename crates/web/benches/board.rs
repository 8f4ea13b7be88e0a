//! The board under load, beside nginx: `cargo bench -p web` or `make bench`.
//!
//! A private PostgreSQL with generated results (`MODELS`, 1 000 unless told), the service as a process of its own on core 0
//! with one thread, whoever asks on core 1, over loopback with connections kept alive.
//!
//! - *start*: from the start of the process to the first page, and the memory it then has (`VmRSS`).
//! - *beside nginx*: requests a second for the board page as the service sends it (Brotli), and for the same bytes as a
//!   file of nginx with one worker on the same core; wrk, 32 connections, 5 s each, in turns, the median of three.
//! - *constant rate*: 1 000 requests a second for that page, each at its time whether or not those before it are answered;
//!   latency from the time at which it was due (no coordinated omission).
//! - *views*: filtered, sorted and weighted views that nobody has asked for before, one after the other.
//!
//! Bars (design §11): at least 0.8 of nginx; p99 below 2 ms at 1 000 a second; views below 15 ms p99 at 1 000 models; at most
//! 100 MB at 10 000.
#![expect(clippy::unwrap_used, reason = "a bench that fails should say where")]

mod generated;

use std::{
    env,
    net::{Ipv4Addr, TcpListener as Socket},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::Client;
use sqlx::ConnectOptions;
use store::{
    embedded::{Cluster, ObjectServer},
    objects::ObjectStore,
};
use tokio::{net::TcpListener, task::JoinSet};

fn main() {
    let runtime = |threads: usize| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().unwrap()
    };
    // An error would mean that there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Ok(database) = env::var("FFASR_BENCH_SERVE") {
        runtime(1).block_on(serve(&database));
    } else {
        runtime(2).block_on(measure());
    }
}

/// The process that is measured.
async fn serve(database: &str) {
    let pool = store::connect(database.parse().unwrap()).await.unwrap();
    let directory = env::var("FFASR_BENCH_OBJECTS").unwrap();
    let server = ObjectServer::start(Path::new(&directory), (Ipv4Addr::LOCALHOST, 0).into()).await.unwrap();
    let objects = ObjectStore::open(&server.config()).await.unwrap();
    let settings = web::Settings {
        lease: Duration::from_secs(90),
        heartbeat: Duration::from_secs(5),
        limits: protocol::Limits {
            ready_seconds: 60.0,
            item_seconds: 60.0,
            item_seconds_per_audio_second: 10.0,
            attempt_seconds: 600.0,
            memory_bytes: 1 << 30,
        },
        hardware_class: generated::CLASS.to_owned(),
        secure_cookies: false,
        demo: false,
        policy: web::Policy::default(),
    };
    let service = web::Service::new(pool, objects, settings).await.unwrap();
    let listener = TcpListener::bind(env::var("FFASR_BENCH_LISTEN").unwrap()).await.unwrap();
    web::serve(service, listener, std::future::pending()).await.unwrap();
}

async fn measure() {
    let models: usize = env::var("MODELS").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let directory = tempfile::Builder::new().prefix("ffasr-bench-").tempdir_in("/tmp").unwrap();
    // The database's user passes through.
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::start(&directory.path().join("postgres")).await.unwrap();
    let pool = store::connect(cluster.options("postgres")).await.unwrap();
    generated::fill(&pool, models).await;
    println!("{models} models");

    let address = free_address();
    let started = Instant::now();
    let mut service = pinned(0, &env::current_exe().unwrap().display().to_string());
    service
        .env("FFASR_BENCH_SERVE", pool.connect_options().to_url_lossy().to_string())
        .env("FFASR_BENCH_OBJECTS", directory.path().join("objects"))
        .env("FFASR_BENCH_LISTEN", &address);
    let service = Running(service.spawn().unwrap());
    let client = Client::new();
    let url = format!("http://{address}/");
    while client.get(&url).send().await.is_err() {
        assert!(started.elapsed() < Duration::from_mins(10), "the service does not start");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    println!("start: {:.1} s, {} MB resident", started.elapsed().as_secs_f64(), service.resident());
    sizes(&client, &url).await;
    views(&client, &url, 400).await;
    println!("after the views: {} MB resident", service.resident());
    beside_nginx(&client, &url, directory.path()).await;
    constant_rate(&client, &url).await;
    println!("at the end: {} MB resident", service.resident());
}

struct Running(Child);

impl Running {
    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1000
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn pinned(core: usize, program: &str) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string(), program]);
    command
}

fn free_address() -> String {
    Socket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().to_string()
}

/// Bytes on the wire of a first visit to the board.
async fn sizes(client: &Client, url: &str) {
    let mut sum = 0;
    for path in ["", "static/ffasr.css", "static/chart.css", "static/ffasr.js", "static/favicon.svg"] {
        let request = client.get(format!("{url}{path}")).header("accept-encoding", "br");
        let bytes = request.send().await.unwrap().bytes().await.unwrap().len();
        println!("first load: /{path} {bytes} B");
        sum += bytes;
    }
    println!("first load: {sum} B in all");
}

/// Views that nobody has asked for before.
async fn views(client: &Client, url: &str, count: usize) {
    let kinds: [fn(usize) -> String; 5] = [
        |n| format!("?q=number+{n}"),
        |n| format!("?sort=near&page={}", n / 5 + 1),
        |n| format!("?weights=near:1,far-low:{}", 1.0 + n as f64 / 100.0),
        |n| format!("?min-rtfx={}&licence=open", 1.0 + n as f64 / 100.0),
        |n| format!("?for=car&max-params={}", 100 + n),
    ];
    for (kind, view) in kinds.iter().enumerate() {
        let mut times: Vec<Duration> = Vec::new();
        for number in (kind..count).step_by(kinds.len()) {
            let view = view(number);
            let started = Instant::now();
            let answer = client.get(format!("{url}{view}")).send().await.unwrap();
            assert!(answer.status().is_success(), "{view}: {}", answer.status());
            answer.bytes().await.unwrap();
            times.push(started.elapsed());
        }
        println!("views {}: {}", view(kind), percentiles(times));
    }
}

fn percentiles(mut times: Vec<Duration>) -> String {
    times.sort_unstable();
    let at = |share: f64| 1e3 * times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64();
    format!(
        "p50 {:.2} ms, p99 {:.2} ms, longest {:.2} ms, {} requests",
        at(0.5),
        at(0.99),
        at(1.0),
        times.len()
    )
}

async fn beside_nginx(client: &Client, url: &str, directory: &Path) {
    let answer = client.get(url).header("accept-encoding", "br").send().await.unwrap();
    let page = answer.bytes().await.unwrap();
    std::fs::create_dir(directory.join("www")).unwrap();
    std::fs::write(directory.join("www/index.html"), &page).unwrap();
    let address = free_address();
    let place = directory.display();
    let configuration = format!(
        "daemon off; worker_processes 1; pid {place}/nginx.pid; error_log /dev/null;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=100;\n\
         types {{ text/html html; }} client_body_temp_path {place}/b; proxy_temp_path {place}/p;\n\
         fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;\n\
         server {{ listen {address}; root {place}/www; add_header Content-Encoding br; }} }}\n"
    );
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    let mut nginx = pinned(0, "/usr/sbin/nginx");
    nginx.arg("-c").arg(&file).stderr(Stdio::null());
    let _nginx = Nginx(nginx.spawn().unwrap());
    let other = format!("http://{address}/");
    while client.get(&other).send().await.is_err() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        theirs.push(requests_a_second(&other));
        ours.push(requests_a_second(url));
    }
    let median = |rates: &mut Vec<f64>| {
        rates.sort_unstable_by(f64::total_cmp);
        rates[1]
    };
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!(
        "beside nginx: {ours:.0} a second, nginx {theirs:.0}, ratio {:.2}, {} B",
        ours / theirs,
        page.len()
    );
}

/// Its worker is a child of its own and ends with it on SIGTERM.
struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = Command::new("kill").arg(self.0.id().to_string()).status();
        let _ = self.0.wait();
    }
}

fn requests_a_second(url: &str) -> f64 {
    let mut wrk = pinned(1, "wrk");
    wrk.args(["-t1", "-c32", "-d5s", "-H", "Accept-Encoding: br", url]);
    let output = wrk.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line =
        text.lines().find(|line| line.starts_with("Requests/sec")).unwrap_or_else(|| panic!("wrk: {text}"));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

async fn constant_rate(client: &Client, url: &str) {
    const RATE: u32 = 1_000;
    const SECONDS: u32 = 10;
    let begin = Instant::now() + Duration::from_millis(100);
    let mut tasks = JoinSet::new();
    let mut times = Vec::new();
    for number in 0..RATE * SECONDS {
        let due = begin + number * Duration::from_secs(1) / RATE;
        // The timer of the runtime is too coarse for this.
        while Instant::now() < due {
            std::thread::sleep(Duration::from_micros(50));
        }
        let request = client.get(url).header("accept-encoding", "br");
        tasks.spawn(async move {
            request.send().await.unwrap().bytes().await.unwrap();
            due.elapsed()
        });
        while let Some(done) = tasks.try_join_next() {
            times.push(done.unwrap());
        }
    }
    while let Some(done) = tasks.join_next().await {
        times.push(done.unwrap());
    }
    println!("constant rate of {RATE} a second: {}", percentiles(times));
}
