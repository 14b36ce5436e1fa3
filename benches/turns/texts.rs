//! What the customers of the load write: sentences from templates and slots, all ours. Knows
//! nothing of sockets or figures.
//!
//! About orders, refunds, delivery, hours, goods and small complaints, 13 words on average. Openings,
//! cores, slots and endings make millions of sentences, so that the server's memory of recent texts
//! helps with few of them. 15 % of the texts are the short ones that everybody writes ("thanks",
//! "hi"), which that memory is for; `--unique` leaves them out. The texts keep the bot answering most
//! of the time; where it passes a conversation on, the customer goes on in a new one.

use proving::figures::ratio;
use proving::random::Random;
use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};

/// Share of the short texts that everybody writes.
const REPEATED: f64 = 0.15;

const SHORT: [&str; 14] = [
    "hi",
    "hello",
    "thanks",
    "thank you",
    "ok",
    "ok thanks",
    "great, thanks",
    "hi there",
    "good morning",
    "cheers",
    "perfect",
    "thanks a lot",
    "hey",
    "bye",
];
const OPENINGS: [&str; 20] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "Hi, ",
    "Hello, ",
    "Hey, ",
    "Good morning, ",
    "Hi there, ",
    "Quick question: ",
    "Just wondering, ",
    "Sorry to bother you, ",
    "One more question, ",
];
const ENDINGS: [&str; 20] = [
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    "",
    " please",
    " thanks",
    ", if you know",
    ", it is a present for my {person}",
    ", I am away from {day}",
    ", I need it by {day}",
    ", my {person} asked me",
    ", thanks in advance",
    ", I bought from you in {month} too",
];
const CORES: [&str; 52] = [
    "where is my {thing} that I ordered {ago}?",
    "what is the status of order {order}?",
    "can you check order {order} for me, it has the {thing} in it?",
    "has order {order} left your warehouse yet?",
    "I ordered a {thing} {ago} and have heard nothing since",
    "the tracking for my {thing} has not moved since {day}",
    "can I still change the size of the {thing} I ordered {ago} to {size}?",
    "can I cancel the {thing} I ordered {ago}?",
    "I would like to add a {thing} to the order I placed {ago}",
    "can I change the delivery address of my {thing} to one in {town}?",
    "how long does a refund take for a {thing} I sent back {ago}?",
    "I returned a {thing} {ago}, when do I get my money back?",
    "can I send back the {colour} {thing} without the original box?",
    "how do I return a {thing} that I bought {ago}?",
    "can I swap my {colour} {thing} for size {size}?",
    "is it too late to return a {thing} from {month}?",
    "do I have to pay for sending the {thing} back from {town}?",
    "can I bring the {thing} I bought online back to the shop on {day}?",
    "the {thing} does not suit me, what do I do to give it back?",
    "how long does delivery to {town} take for a {thing}?",
    "if I order a {thing} today, will it be in {town} by {day}?",
    "what does express delivery to {town} cost for a {thing}?",
    "do you deliver a {thing} to {country}?",
    "is delivery free if I buy a {thing} and a {colour} {thing}?",
    "can the carrier leave my {thing} with a neighbour in {town} on {day}?",
    "the {thing} says delivered but nothing came to my flat in {town}",
    "can I collect the {colour} {thing} from the shop on {day}?",
    "are you open on {day} in {month}?",
    "what time do you close on {day}, I want to try a {thing}?",
    "until when can I come to the shop on {day} for the {colour} {thing}?",
    "where exactly is your shop, I am coming from {town} on {day}?",
    "do you have the {colour} {thing} in size {size}?",
    "when will the {colour} {thing} be back in stock in size {size}?",
    "what is the {thing} made of, is there any wool in the {colour} one?",
    "how do I wash a {colour} {thing} without ruining it?",
    "does the {thing} run small, I usually wear {size} in {country}?",
    "I am between {size} and the next size up, which {thing} fits better?",
    "what does size {size} mean in {country} for a {thing}?",
    "how long are the sleeves of the {colour} {thing} in {size}?",
    "can you wrap the {colour} {thing} as a present for my {person}?",
    "do you sell gift cards that I can send my {person} by {day}?",
    "can I pay for the {thing} in three parts with my card?",
    "which cards do you take for a {thing} from {country}?",
    "my card was refused when I tried to buy the {colour} {thing}",
    "is there a discount code for a {thing} in {month}?",
    "can you send me the invoice for the {thing} from {month}?",
    "how do I change the email address of my account before {day}?",
    "I forgot my password and cannot see the order with the {thing}",
    "the {colour} {thing} came with a loose seam, what can I do?",
    "there is a button missing on the {colour} {thing} I got {ago}",
    "you sent a {colour} {thing} in {size} but I ordered another one",
    "the {thing} in my parcel is not the {colour} one from the picture",
];
const THINGS: [&str; 24] = [
    "linen shirt",
    "wool jumper",
    "waxed jacket",
    "corduroy overshirt",
    "canvas tote",
    "summer dress",
    "pleated skirt",
    "rain coat",
    "cotton scarf",
    "leather belt",
    "denim jacket",
    "silk blouse",
    "pair of trousers",
    "pair of socks",
    "merino cardigan",
    "flannel shirt",
    "knitted hat",
    "winter coat",
    "polo shirt",
    "swimsuit",
    "striped top",
    "pair of jeans",
    "quilted vest",
    "wool blanket",
];
const COLOURS: [&str; 14] = [
    "sage",
    "navy",
    "olive",
    "rust",
    "oat",
    "black",
    "white",
    "grey",
    "red",
    "light blue",
    "dark green",
    "brown",
    "cream",
    "yellow",
];
const SIZES: [&str; 10] = ["S", "M", "L", "XL", "XS", "8", "10", "12", "14", "16"];
const TOWNS: [&str; 20] = [
    "Leeds", "Glasgow", "Cardiff", "Belfast", "York", "Bath", "Exeter", "Norwich", "Derby", "Hull", "Perth", "Truro",
    "Oxford", "Lincoln", "Dundee", "Swansea", "Durham", "Chester", "Brighton", "Aberdeen",
];
const COUNTRIES: [&str; 10] =
    ["Ireland", "France", "Germany", "Spain", "Norway", "Italy", "Poland", "Portugal", "Denmark", "the Netherlands"];
const PEOPLE: [&str; 10] =
    ["sister", "mother", "brother", "father", "wife", "husband", "friend", "daughter", "son", "colleague"];
const DAYS: [&str; 12] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "the 3rd",
    "the 12th",
    "the 18th",
    "the 24th",
    "bank holiday Monday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const AGO: [&str; 10] = [
    "yesterday",
    "on Monday",
    "last week",
    "two days ago",
    "ten days ago",
    "three weeks ago",
    "on Friday",
    "last month",
    "this morning",
    "at the weekend",
];
/// The orders that the demo shop knows.
const ORDERS: [&str; 6] = ["JT-1042", "JT-1043", "JT-1044", "JT-1045", "JT-1046", "JT-1047"];

/// Writes the texts, and counts what it wrote.
#[derive(Debug)]
pub(crate) struct Texts {
    random: Random,
    unique: bool,
    seen: HashSet<u64>,
    written: u64,
    words: u64,
    new: u64,
}

impl Texts {
    /// Texts of a seed; `unique` leaves the short, repeated ones out.
    pub(crate) fn new(seed: u64, unique: bool) -> Self {
        Self { random: Random::new(seed), unique, seen: HashSet::new(), written: 0, words: 0, new: 0 }
    }

    /// The next text.
    pub(crate) fn next(&mut self) -> String {
        let short = !self.unique && self.random.fraction() < REPEATED;
        let text = if short { self.random.pick(&SHORT).to_owned() } else { self.sentence() };
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        self.new += u64::from(self.seen.insert(hasher.finish()));
        self.written += 1;
        self.words += u64::try_from(text.split_whitespace().count()).unwrap_or(0);
        text
    }

    fn sentence(&mut self) -> String {
        let mut text = String::with_capacity(120);
        text.push_str(self.random.pick(&OPENINGS));
        let core = self.random.pick(&CORES);
        // An ending belongs before the mark of a question.
        let (body, mark) = core.strip_suffix('?').map_or((core, ""), |body| (body, "?"));
        self.fill(body, &mut text);
        let ending = self.random.pick(&ENDINGS);
        self.fill(ending, &mut text);
        text.push_str(mark);
        text
    }

    fn fill(&mut self, template: &str, text: &mut String) {
        let mut rest = template;
        while let Some((before, (slot, after))) =
            rest.split_once('{').and_then(|(before, tail)| Some((before, tail.split_once('}')?)))
        {
            text.push_str(before);
            text.push_str(self.random.pick(words_of(slot)));
            rest = after;
        }
        text.push_str(rest);
    }

    /// Mean words of a text, and the share of texts that nobody had written before.
    pub(crate) fn mean_words_and_new(&self) -> (f64, f64) {
        let share = |part: u64| ratio(part, self.written);
        (share(self.words), share(self.new))
    }
}

fn words_of(slot: &str) -> &'static [&'static str] {
    match slot {
        "thing" => &THINGS,
        "colour" => &COLOURS,
        "size" => &SIZES,
        "town" => &TOWNS,
        "country" => &COUNTRIES,
        "person" => &PEOPLE,
        "day" => &DAYS,
        "month" => &MONTHS,
        "ago" => &AGO,
        _ => &ORDERS,
    }
}
