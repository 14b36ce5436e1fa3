//! What is promised of storage when the process is killed, when the disk is full or cannot confirm, and of backups:
//! no acknowledged message is lost, none is stored twice, none is acknowledged that is not stored.

use crate::process::{Answer, Process, Witness, faults, run, run_with};
use futures_util::future::join_all;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How soon messages are taken again once the disk is well.
const HEALED: Duration = Duration::from_secs(5);

fn place() -> (TempDir, PathBuf) {
    let folder = TempDir::new().unwrap();
    let database = folder.path().join("candor.db");
    (folder, database)
}

async fn witnesses(server: &Process, count: usize) -> Vec<Witness> {
    join_all((0..count).map(|number| async move { Witness::new(server, &format!("witness {number}")).await })).await
}

/// Lets everybody write until the server is gone.
async fn write_until_gone(witnesses: &mut [Witness]) {
    join_all(witnesses.iter_mut().map(Witness::write_until_gone)).await;
}

async fn hold_all(server: &Process, witnesses: &mut [Witness]) {
    for witness in witnesses {
        assert!(witness.connect(server, 0).await);
        witness.hold();
    }
}

async fn findings(database: &Path) -> Value {
    let verified = run(&["verify", "--json"], &[("--database", database)]).await;
    let found: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified.status.success(), found["findings"] == Value::Array(Vec::new()), "{found}");
    found["findings"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let (_folder, database) = place();
    let mut server = Process::start(&database, &[]).await;
    let mut witnesses = witnesses(&server, 6).await;
    for cycle in 0..5_u64 {
        // Not always in the same place of the writer's and the checkpoints' rounds.
        let pause = Duration::from_millis(400 + cycle * 370 % 900);
        let kill = async {
            tokio::time::sleep(pause).await;
            server.kill();
        };
        tokio::join!(write_until_gone(&mut witnesses), kill);
        server = Process::start(&database, &[]).await;
        hold_all(&server, &mut witnesses).await;
        let until = Instant::now() + Duration::from_secs(20);
        while server.ready().await.unwrap().1["storage"]["check"] != "sound" {
            assert!(Instant::now() < until, "the check after an unclean stop did not end well");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let acked: usize =
        witnesses.iter().map(|witness| witness.sent.iter().filter(|sent| sent.2.is_some()).count()).sum();
    assert!(acked > 100, "{acked} messages are no test");
    assert_eq!(findings(&database).await, Value::Array(Vec::new()));
    server.stop();
    let server = Process::start(&database, &[]).await;
    assert_eq!(server.ready().await.unwrap().1["storage"]["check"], "not_needed");
    server.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_is_refused_and_accounts_are_made_beside_the_first() {
    let (folder, database) = place();
    let server = Process::start(&database, &[]).await;
    let password = folder.path().join("password");
    std::fs::write(&password, "a long enough one\n").unwrap();
    let input = std::fs::File::open(&password).unwrap();
    let added = ["user", "add", "dana@shop.example", "--name", "Dana"];
    let made = run_with(input, &added, &[("--database", &database)]).await;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let second = run(&["--listen", "127.0.0.1:0", "--models", "/nonexistent"], &[("--database", &database)]).await;
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && said.contains(&format!("process {}", server.id())), "{said}");
    let restored = run(&["restore"], &[("--database", &database), ("--from", &database)]).await;
    assert!(!restored.status.success() && String::from_utf8(restored.stderr).unwrap().contains("in use"));
    assert_eq!(findings(&database).await, Value::Array(Vec::new()));
    server.kill();
    // The lock ends with its process.
    Process::start(&database, &[]).await.stop();
}

/// One fault of the disk while everybody writes.
async fn endure(fault: &str, wrong: &str) {
    let (folder, database) = place();
    let library = faults(folder.path());
    let switch = folder.path().join("fault");
    let environment = [("LD_PRELOAD", library.as_path()), ("CANDOR_TEST_FAULT", switch.as_path())];
    let server = Process::start(&database, &environment).await;
    let mut witnesses = witnesses(&server, 4).await;
    for witness in &mut witnesses {
        assert!(matches!(witness.say().await, Answer::Acked(_)));
    }

    std::fs::write(&switch, fault).unwrap();
    // What was on its way may still have come through.
    tokio::time::sleep(Duration::from_millis(500)).await;
    for witness in &mut witnesses {
        for _ in 0..3 {
            assert_eq!(witness.say().await, Answer::Busy, "{fault}: nothing is acknowledged");
        }
    }
    let (ready, said) = server.ready().await.unwrap();
    let reason = said["storage"]["reason"].as_str().unwrap();
    assert!(!ready && reason.contains(wrong), "{said}");
    if fault != "sync" {
        // Who was there reads on; while the database is opened anew nobody does.
        for witness in &mut witnesses {
            assert!(witness.connect(&server, 0).await, "{fault}: nobody can read");
            witness.hold();
        }
    }

    std::fs::remove_file(&switch).unwrap();
    let well = Instant::now();
    for witness in &mut witnesses {
        while !witness.connect(&server, 0).await || !matches!(witness.repeat().await, Answer::Acked(_)) {
            assert!(well.elapsed() < HEALED, "{fault}: still refused after {:?}", well.elapsed());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(server.ready().await.unwrap().0);
    hold_all(&server, &mut witnesses).await;
    server.kill();
    let server = Process::start(&database, &[]).await;
    hold_all(&server, &mut witnesses).await;
    server.stop();
    assert_eq!(findings(&database).await, Value::Array(Vec::new()));
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_acknowledges_nothing_and_heals() {
    endure("full", "full").await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_fails_to_write_acknowledges_nothing_and_heals() {
    endure("io", "refuses").await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_cannot_confirm_acknowledges_nothing_and_heals() {
    endure("sync", "confirm").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_restores_to_a_prefix_of_the_log() {
    let (folder, database) = place();
    let backup = folder.path().join("backup.db");
    let server = Process::start(&database, &[]).await;
    let mut witnesses = witnesses(&server, 4).await;
    for witness in &mut witnesses {
        for _ in 0..5 {
            assert!(matches!(witness.say().await, Answer::Acked(_)));
        }
    }
    let before: Vec<usize> = witnesses.iter().map(|witness| witness.sent.len()).collect();
    let take = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let made = run(&["backup"], &[("--database", &database), ("--to", &backup)]).await;
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let again = run(&["backup"], &[("--database", &database), ("--to", &backup)]).await;
        assert!(!again.status.success(), "it is not overwritten");
        server.stop();
    };
    tokio::join!(write_until_gone(&mut witnesses), take);
    let after: usize = witnesses.iter().map(|witness| witness.sent.len()).sum();
    assert!(after > before.iter().sum::<usize>() + 4, "nobody wrote while it was made");

    let restored = run(&["restore"], &[("--database", &database), ("--from", &backup)]).await;
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert_eq!(findings(&database).await, Value::Array(Vec::new()));
    let server = Process::start(&database, &[]).await;
    for (witness, before) in witnesses.iter_mut().zip(before) {
        let epoch = witness.welcome["epoch"].clone();
        let last = witness.sent.iter().filter_map(|sent| sent.2).next_back().unwrap();
        assert!(witness.connect(&server, last).await);
        assert!(witness.was_reset && witness.welcome["epoch"] != epoch, "it was told to begin anew");
        let stored = witness.log.iter().filter(|event| event["from"]["role"] == "customer").count();
        assert!(
            stored >= before && stored <= witness.sent.len(),
            "{before} were acknowledged before, {stored} are there"
        );
        witness.sent.truncate(stored);
        witness.hold();
    }
    server.stop();
}
