//! Plays cases on engines and says what came of it.

use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::compare::{Mismatch, compare};
use super::cut::{Cut, Cuts};
use super::invariants::{broken, leaked};
use super::made::unmade;
use super::model::{Case, Profile, Scenario};
use super::play;
use super::queue::Queue;
use crate::engine::{Engine, EngineError, Need, Play};
use crate::report::sketch;
use crate::transcript::{Ending, Transcript, UpstreamSaw};

/// Makes engines; each worker thread has its own.
pub trait Engines: Sync {
    /// The engine `name`, ready to play.
    fn make(&self, name: &'static str) -> Result<Box<dyn Engine>, EngineError>;
}

/// What to run.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Names of engines, in the order of the report.
    pub engines: Vec<&'static str>,
    /// Profiles.
    pub profiles: Vec<Profile>,
    /// Cuts.
    pub cuts: Cuts,
    /// Keep what was seen, for [`super::bless`].
    pub keep_seen: bool,
    /// Worker threads.
    pub workers: usize,
}

/// One case on one engine in one profile; all its cuts.
#[derive(Clone, Debug)]
pub struct Line {
    /// Index of the scenario.
    pub scenario: usize,
    /// Index of the case in it.
    pub case: usize,
    /// Name of the engine; of two, `native/wasm`, if they differ.
    pub engine: String,
    /// The profile.
    pub profile: Profile,
    /// How often it was played.
    pub plays: usize,
    /// How long that took.
    pub took: Duration,
    /// What came of it.
    pub outcome: Outcome,
    /// What was seen of the bodies as written, if it is kept.
    pub seen: Option<Transcript>,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// As expected.
    Passed,
    /// Not so; and the first cut that showed it.
    Failed(Cut, Failure),
    /// The engine cannot play it.
    Skipped(Lack),
}

/// What an engine lacks for a case.
#[derive(Clone, Debug)]
pub enum Lack {
    /// What the case needs.
    Needs(Vec<Need>),
    /// The plugin: a native engine plays those that are linked in.
    Plugin,
}

/// Why a case failed.
#[derive(Clone, Debug)]
pub enum Failure {
    /// What was seen is not what was expected.
    Differs(Vec<Mismatch>, Vec<String>),
    /// The engine itself failed.
    Engine(String),
    /// Two engines saw different things; the second differs from the first by this diff.
    Engines(String),
    /// The case does not say what must be seen.
    Unstated,
}

/// Runs all cases. `on_line` gets the lines in the order of the files, as soon as they are there.
pub fn run(
    scenarios: &[Scenario],
    setting: &Setting,
    engines: &dyn Engines,
    mut on_line: impl FnMut(Line),
) -> Result<(), EngineError> {
    let queue = Queue::of(scenarios);
    let (sender, results) = mpsc::channel::<Result<(usize, Vec<Line>), EngineError>>();
    let mut failed = None;
    thread::scope(|scope| {
        for worker in 0..setting.workers.max(1).min(queue.len()) {
            let (sender, queue) = (sender.clone(), &queue);
            scope.spawn(move || {
                let made: Result<Vec<_>, _> = setting.engines.iter().map(|name| engines.make(name)).collect();
                let mut made = match made {
                    Ok(made) => made,
                    Err(error) => {
                        queue.clear();
                        let _ = sender.send(Err(error));
                        return;
                    }
                };
                while let Some((place, s, c)) = queue.take(worker) {
                    let Some((scenario, case)) = scenarios.get(s).and_then(|file| Some((file, file.cases.get(c)?))) else {
                        return;
                    };
                    let lines = run_case(scenario, case, (s, c), setting, &mut made);
                    if sender.send(Ok((place, lines))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut early = std::collections::BTreeMap::new();
        let mut due = 0;
        for result in results {
            match result {
                Ok((place, lines)) => early.insert(place, lines),
                Err(error) => {
                    failed.get_or_insert(error);
                    continue;
                }
            };
            while let Some(lines) = early.remove(&due) {
                due += 1;
                lines.into_iter().for_each(&mut on_line);
            }
        }
    });
    failed.map_or(Ok(()), Err)
}

/// The state of one engine while a case is played on it.
struct Track {
    line: Line,
    /// What was seen first; equal transcripts need no second look.
    first: Option<Transcript>,
    exact_cut: bool,
}

fn run_case(
    scenario: &Scenario,
    case: &Case,
    (s, c): (usize, usize),
    setting: &Setting,
    engines: &mut [Box<dyn Engine>],
) -> Vec<Line> {
    let mut lines = Vec::new();
    for profile in setting.profiles.iter().filter(|profile| case.profiles.contains(profile)) {
        let mut tracks: Vec<Track> = engines
            .iter()
            .map(|engine| {
                let lacks: Vec<Need> = case.needs.iter().copied().filter(|need| !engine.offers(*need)).collect();
                let outcome = if !engine.has(&scenario.plugin) {
                    Outcome::Skipped(Lack::Plugin)
                } else if lacks.is_empty() {
                    Outcome::Passed
                } else {
                    Outcome::Skipped(Lack::Needs(lacks))
                };
                let engine_name = engine.name().to_owned();
                let (plays, took) = (0, Duration::ZERO);
                let line =
                    Line { scenario: s, case: c, engine: engine_name, profile: *profile, plays, took, outcome, seen: None };
                Track { line, first: None, exact_cut: engine.offers(Need::ExactCut) }
            })
            .collect();
        let differing = run_profile(scenario, case, *profile, setting, engines, &mut tracks);
        lines.extend(tracks.into_iter().map(|track| track.line));
        lines.extend(differing);
    }
    lines
}

/// Plays every cut; returns the line of two engines that differ.
fn run_profile(
    scenario: &Scenario,
    case: &Case,
    profile: Profile,
    setting: &Setting,
    engines: &mut [Box<dyn Engine>],
    tracks: &mut [Track],
) -> Option<Line> {
    let mut play = play::play(&scenario.plugin, case, profile);
    // A case that is about one way to cut is played that way only.
    let cuts = if case.needs.contains(&Need::ExactCut) { Cuts::AsWritten } else { setting.cuts };
    let mut differing = None;
    for cut in cuts.of(&case.exchange.request, case.exchange.upstream.as_ref()) {
        play::cut(&mut play, case, cut);
        let mut reference: Option<(String, Transcript)> = None;
        for (engine, track) in engines.iter_mut().zip(tracks.iter_mut()) {
            // Over a real network only as written and whole mean anything.
            let cut = match cut {
                Cut::AsWritten | Cut::Whole => cut,
                _ if track.exact_cut => cut,
                _ if setting.cuts == Cuts::Bytes => Cut::AsWritten,
                _ => continue,
            };
            if !matches!(track.line.outcome, Outcome::Passed) {
                continue;
            }
            let Some(seen) = track.play(engine.as_mut(), &play, case, cut, setting.keep_seen) else { continue };
            match &reference {
                None => reference = Some((track.line.engine.clone(), seen)),
                Some((other, reference)) if differing.is_none() && !agree(reference, &seen, &play, track.exact_cut) => {
                    let (reference, seen) = if track.exact_cut {
                        (reference.clone(), seen)
                    } else {
                        (unframed(reference, &play), unframed(&seen, &play))
                    };
                    let diff = sketch::diff(&reference, &seen, other, &track.line.engine);
                    differing = Some(Line {
                        engine: format!("{other}/{}", track.line.engine),
                        plays: track.line.plays,
                        outcome: Outcome::Failed(cut, Failure::Engines(diff)),
                        seen: None,
                        ..track.line.clone()
                    });
                }
                Some(_) => {}
            }
        }
        if !tracks.iter().any(|track| matches!(track.line.outcome, Outcome::Passed)) {
            break;
        }
    }
    differing
}

impl Track {
    /// Plays once and judges it. Returns what was seen in a form in which engines can be compared.
    fn play(&mut self, engine: &mut dyn Engine, play: &Play, case: &Case, cut: Cut, keep: bool) -> Option<Transcript> {
        let expected = case.expected(self.line.profile);
        let started = Instant::now();
        let seen = engine.play(play);
        self.line.took += started.elapsed();
        self.line.plays += 1;
        let mut seen = match seen {
            Ok(seen) => seen,
            Err(error) => {
                self.line.outcome = Outcome::Failed(cut, Failure::Engine(error.to_string()));
                return None;
            }
        };
        if keep && self.line.seen.is_none() {
            self.line.seen = Some(seen.clone());
        }
        seen.callouts = play.callouts.certain(seen.callouts);
        let raw = seen.clone();
        seen.log = Vec::new();
        seen.handed = None;
        name_ids(&mut seen);
        let known = self.first.as_ref() == Some(&seen);
        let failure = match expected {
            None => Some(Failure::Unstated),
            Some(_) if known => {
                let leaks = leaked(case, &raw);
                (!leaks.is_empty()).then_some(Failure::Differs(Vec::new(), leaks))
            }
            Some(expected) => {
                let mismatches = compare(expected, case, &raw);
                let broken = broken(case, expected.client.end == Ending::Open, &raw);
                let fine = mismatches.is_empty() && broken.is_empty();
                (!fine).then_some(Failure::Differs(mismatches, broken))
            }
        };
        match failure {
            None if !known => self.first = Some(seen.clone()),
            None => {}
            Some(failure) => self.line.outcome = Outcome::Failed(cut, failure),
        }
        Some(seen)
    }
}

/// Whether two engines saw the same.
fn agree(one: &Transcript, other: &Transcript, play: &Play, exact: bool) -> bool {
    one == other || (!exact && unframed(one, play) == unframed(other, play))
}

/// Without what a real wire frames messages with: its own codecs set these, whatever a filter has done. And without counters
/// where each VM asks for itself, or says what its host can do: how many do is up to the proxy. And without what a policy makes with the
/// clock and the dice of its engine.
fn unframed(seen: &Transcript, play: &Play) -> Transcript {
    let mut seen = seen.clone();
    if play.callouts.has_always() {
        seen.counters.clear();
    }
    seen.counters.retain(|name, _| !name.contains(".keys.host_"));
    let strip = |headers: &mut Vec<(String, String)>| headers.retain(|(name, _)| name != "content-length" && name != ":scheme");
    strip(&mut seen.client.headers);
    if let UpstreamSaw::Complete { headers, .. } = &mut seen.upstream {
        strip(headers);
    }
    seen.callouts.iter_mut().for_each(|call| strip(&mut call.headers));
    unmade(&mut seen);
    seen
}

/// Random request ids are different in every engine: they become `id-1`, … wherever they are.
fn name_ids(seen: &mut Transcript) {
    const SHORTEST: usize = 16;
    let mut ids: Vec<String> = Vec::new();
    for record in &mut seen.audit {
        let Some(id) = record.get_mut("request") else { continue };
        let Some(text) = id.as_str().filter(|text| text.len() >= SHORTEST) else { continue };
        let index = ids.iter().position(|known| known == text).unwrap_or_else(|| {
            ids.push(text.to_owned());
            ids.len() - 1
        });
        *id = format!("id-{}", index + 1).into();
    }
    for (index, id) in ids.iter().enumerate() {
        if seen.client.body.windows(id.len()).any(|window| window == id.as_bytes())
            && let Ok(text) = std::str::from_utf8(&seen.client.body)
        {
            let named = text.replace(id.as_str(), &format!("id-{}", index + 1));
            // The answer's length says nothing new once the id in it has another one.
            let length = seen.client.body.len().to_string();
            for (name, value) in &mut seen.client.headers {
                if name == "content-length" && *value == length {
                    *value = named.len().to_string();
                }
            }
            seen.client.body = named.into_bytes();
        }
    }
}
