//! The checker itself: a sound history passes, and each way of breaking one is caught.

use super::{Fault, check};
use crate::history::{Author, Entry, Kind, Op, Record};
use crate::random::Random;
use proptest::prelude::{ProptestConfig, any, prop_assert, proptest};
use uuid::Uuid;

const DANA: u32 = 100;
const ERIN: u32 = 101;

/// A server that does everything right, and its clients: what they would have recorded.
struct Sound {
    random: Random,
    history: Vec<Record>,
    logs: Vec<(Uuid, u32, Vec<Entry>)>,
}

impl Sound {
    fn record(&mut self, client: u32, op: Op) {
        let at = u64::try_from(self.history.len()).expect("few");
        self.history.push(Record { at, client, op });
    }

    fn append(&mut self, number: usize, kind: Kind, author: Author, id: Option<Uuid>, owner: Option<&str>) -> u64 {
        let text = self.random.number();
        let (conversation, customer, log) = &mut self.logs[number];
        let seq = log.last().map_or(1, |entry| entry.seq + 1);
        let entry = Entry { seq, kind, author, id, text, owner: owner.map(str::to_owned) };
        log.push(entry.clone());
        let (conversation, customer) = (*conversation, *customer);
        if let Some(id) = id {
            let sender = if author == Author::Agent { DANA } else { customer };
            self.record(sender, Op::Send { conversation, id, text });
            if self.random.chance(0.2) {
                self.record(sender, Op::Closed { reason: "cut".to_owned() });
                self.record(sender, Op::Send { conversation, id, text });
            }
            // A tail of messages is never acked: they may be there or not, and here they are.
            if self.random.chance(0.9) {
                self.record(sender, Op::Ack { conversation, id, seq });
            }
        }
        for reader in [customer, DANA] {
            self.record(reader, Op::Seen { conversation, entry: entry.clone() });
        }
        seq
    }

    fn new(seed: u64, conversations: usize, messages: usize) -> Self {
        let mut random = Random::new(seed);
        let logs = (0u32..).take(conversations).map(|client| (random.id(), client, Vec::new())).collect();
        let mut sound = Self { random, history: Vec::new(), logs };
        sound.record(DANA, Op::Named { name: "Dana".to_owned() });
        sound.record(ERIN, Op::Named { name: "Erin".to_owned() });
        for number in 0..conversations {
            sound.append(number, Kind::Other, Author::System, None, None);
            let seq = sound.append(number, Kind::State, Author::System, None, Some("Dana"));
            let conversation = sound.logs[number].0;
            sound.record(DANA, Op::Owned { conversation, seq });
        }
        for _ in 0..messages.max(conversations * 4) {
            let number = sound.random.below(conversations);
            let id = sound.random.id();
            match sound.random.below(5) {
                0 => sound.append(number, Kind::Message, Author::Bot, None, None),
                1 => sound.append(number, Kind::Message, Author::Agent, Some(id), None),
                _ => sound.append(number, Kind::Message, Author::Customer, Some(id), None),
            };
        }
        // The last of each: acked, so that every mutation has something to break.
        for number in 0..conversations {
            for _ in 0..3 {
                let id = sound.random.id();
                let seq = sound.append(number, Kind::Message, Author::Customer, Some(id), None);
                let (conversation, customer, _) = sound.logs[number];
                sound.record(customer, Op::Ack { conversation, id, seq });
            }
        }
        sound
    }

    /// The history with the logs as they are now read from the server, after `break_log` had them.
    fn finish(mut self, break_log: impl FnOnce(&mut Random, &mut [(Uuid, u32, Vec<Entry>)])) -> Vec<Record> {
        let mut logs = self.logs.clone();
        break_log(&mut self.random, &mut logs);
        for (conversation, _, log) in logs {
            for entry in log {
                self.record(200, Op::Final { conversation, entry });
            }
        }
        for (conversation, customer, _) in self.logs.clone() {
            self.record(customer, Op::Settled { conversation });
            self.record(DANA, Op::Settled { conversation });
        }
        self.history
    }
}

fn renumber(log: &mut [Entry]) {
    for (seq, entry) in (1..).zip(log) {
        entry.seq = seq;
    }
}

/// Index of an acked customer's message: the last three are.
fn acked(random: &mut Random, log: &[Entry]) -> usize {
    log.len() - 1 - random.below(3)
}

/// Ways to break a server.
const MUTANTS: usize = 12;

fn broken(seed: u64, mutant: usize) -> (Vec<Record>, &'static str, &'static [Fault]) {
    let mut sound = Sound::new(seed, 3, 40);
    let victim = sound.random.below(3);
    let (conversation, customer, _) = sound.logs[victim];
    match mutant {
        0 => {
            let history = sound.finish(|random, logs| {
                let log = &mut logs[victim].2;
                log.remove(acked(random, log));
                renumber(log);
            });
            (history, "drops an acked message", &[Fault::Lost, Fault::AckedTooEarly])
        }
        1 => {
            let history = sound.finish(|random, logs| {
                let log = &mut logs[victim].2;
                let again = log[acked(random, log)].clone();
                log.push(again);
                renumber(log);
            });
            (history, "stores a repeated message again", &[Fault::Doubled])
        }
        2 => {
            let history = sound.finish(|_, logs| {
                let log = &mut logs[victim].2;
                let last = log.len() - 1;
                log.swap(last - 1, last);
                renumber(log);
            });
            (history, "swaps two", &[Fault::Reordered])
        }
        3 => {
            let history = sound.finish(|random, logs| {
                let log = &mut logs[victim].2;
                let from = acked(random, log);
                log[from..].iter_mut().for_each(|entry| entry.seq += 1);
            });
            (history, "skips a number", &[Fault::Gap])
        }
        4 => {
            let history = sound.finish(|random, logs| {
                let log = &logs[(victim + 1) % 3].2;
                let mut foreign = log[acked(random, log)].clone();
                let log = &mut logs[victim].2;
                foreign.seq = log.len() as u64 + 1;
                log.push(foreign);
            });
            (history, "leaks into another conversation", &[Fault::Invented])
        }
        5 => {
            let history = sound.finish(|random, logs| {
                let log = &mut logs[victim].2;
                let index = acked(random, log);
                log[index].text ^= 1;
            });
            (history, "alters a text", &[Fault::Changed])
        }
        6 => {
            let history = sound.finish(|_, logs| drop(logs[victim].2.pop()));
            (history, "acks what a crash takes away", &[Fault::AckedTooEarly])
        }
        7 => {
            // A reader that never gets the last one, as if a resume had been skipped.
            let last = sound.logs[victim].2.len() as u64;
            sound.history.retain(
                |record| !matches!(&record.op, Op::Seen { conversation: seen, entry } if *seen == conversation && entry.seq == last && record.client == DANA),
            );
            (sound.finish(|_, _| ()), "leaves a reader behind", &[Fault::Diverged])
        }
        8 => {
            sound.record(ERIN, Op::Owned { conversation, seq: 2 });
            (sound.finish(|_, _| ()), "gives a conversation to two", &[Fault::TwoOwners])
        }
        9 => {
            let id = sound.logs[victim].2.last().and_then(|entry| entry.id).expect("a message");
            sound.record(customer, Op::Ack { conversation, id, seq: 3 });
            (sound.finish(|_, _| ()), "names another place when it is asked again", &[Fault::Moved])
        }
        10 => {
            let index = sound.history.iter().rposition(|record| matches!(record.op, Op::Seen { .. }));
            let again = sound.history[index.expect("something was seen")].clone();
            sound.history.push(again);
            (sound.finish(|_, _| ()), "delivers twice", &[Fault::Doubled])
        }
        _ => {
            sound.record(customer, Op::Erased { conversation });
            (sound.finish(|_, _| ()), "shows what was erased", &[Fault::Reappeared])
        }
    }
}

#[test]
fn a_sound_history_passes() {
    let verdict = check(&Sound::new(7, 3, 40).finish(|_, _| ()));
    assert!(verdict.is_sound(), "{:?}", verdict.violations);
    assert!(verdict.acked > 20 && verdict.repeated > 0, "{verdict:?}");
}

#[test]
fn each_mutant_is_caught_and_named() {
    for mutant in 0..MUTANTS {
        let (history, name, expected) = broken(11, mutant);
        let verdict = check(&history);
        let named = verdict.violations.iter().any(|violation| expected.contains(&violation.fault));
        assert!(named, "a server that {name}: {:?}", verdict.violations);
    }
}

#[test]
fn what_was_never_acked_may_be_missing() {
    let mut sound = Sound::new(3, 1, 10);
    let (conversation, customer, _) = sound.logs[0];
    let id = sound.random.id();
    sound.record(customer, Op::Send { conversation, id, text: 9 });
    let verdict = check(&sound.finish(|_, _| ()));
    assert!(verdict.is_sound(), "{:?}", verdict.violations);
}

#[test]
fn what_was_seen_must_stay() {
    let mut sound = Sound::new(3, 1, 10);
    let (conversation, customer, log) = sound.logs[0].clone();
    let entry = Entry { seq: log.len() as u64 + 1, kind: Kind::Message, author: Author::Bot, ..log[0].clone() };
    sound.record(customer, Op::Seen { conversation, entry });
    let verdict = check(&sound.finish(|_, _| ()));
    assert_eq!(verdict.violations.first().map(|violation| violation.fault), Some(Fault::Lost));
}

#[test]
fn what_was_acked_while_the_log_was_read_may_lie_beyond_it() {
    let mut sound = Sound::new(3, 1, 10);
    let (conversation, customer, log) = sound.logs[0].clone();
    let (id, seq) = (sound.random.id(), log.len() as u64 + 1);
    let mut history = sound.finish(|_, _| ());
    for op in [Op::Send { conversation, id, text: 9 }, Op::Ack { conversation, id, seq }] {
        history.push(Record { at: u64::MAX, client: customer, op });
    }
    let verdict = check(&history);
    assert!(verdict.is_sound(), "{:?}", verdict.violations);
}

#[test]
fn a_log_that_was_read_as_nothing_has_lost_everything() {
    let verdict = check(&Sound::new(5, 2, 10).finish(|_, logs| logs.iter_mut().for_each(|log| log.2.clear())));
    assert!(verdict.violations.len() > 10);
}

#[test]
fn a_history_survives_its_file() {
    let history = Sound::new(1, 2, 10).finish(|_, _| ());
    let file = tempfile::NamedTempFile::new().expect("a file");
    crate::history::save(&history, file.path()).expect("saved");
    assert_eq!(crate::history::load(file.path()).expect("read"), history);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn sound_histories_of_any_shape_pass(seed in any::<u64>(), conversations in 1usize..6, messages in 0usize..80) {
        let verdict = check(&Sound::new(seed, conversations, messages).finish(|_, _| ()));
        prop_assert!(verdict.is_sound(), "{:?}", verdict.violations);
    }

    #[test]
    fn any_single_mutation_is_caught(seed in any::<u64>(), mutant in 0..MUTANTS) {
        let (history, name, _) = broken(seed, mutant);
        prop_assert!(!check(&history).is_sound(), "a server that {name}");
    }

    /// Any line of what readers saw that is taken away or changed is noticed.
    #[test]
    fn no_seen_line_can_be_forged(seed in any::<u64>(), which in any::<usize>(), change in 0..3) {
        let mut history = Sound::new(seed, 2, 20).finish(|_, _| ());
        let seen: Vec<usize> = (0..history.len()).filter(|index| matches!(history[*index].op, Op::Seen { .. })).collect();
        let index = seen[which % seen.len()];
        match (&mut history[index].op, change) {
            (_, 0) => drop(history.remove(index)),
            (Op::Seen { entry, .. }, 1) => entry.text ^= 1,
            (Op::Seen { entry, .. }, _) => entry.seq += 1,
            _ => {}
        }
        prop_assert!(!check(&history).is_sound());
    }
}
