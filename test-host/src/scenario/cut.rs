//! The ways to cut the bodies of an exchange into chunks.

use std::fmt;

use crate::engine::Sent;

/// Bodies up to this size are cut at every place.
const EVERY_PLACE: usize = 4096;
/// Random cuts of larger ones.
const RANDOM_CUTS: u64 = 64;

/// Which ways to try.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Cuts {
    /// All of them.
    #[default]
    All,
    /// As the scenario says.
    AsWritten,
    /// Single bytes.
    Bytes,
    /// One chunk.
    Whole,
}

/// One way to cut one exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cut {
    /// As the scenario says.
    AsWritten,
    /// Single bytes, both directions.
    Bytes,
    /// Request or answer at this place.
    Two(Body, usize),
    /// Request or answer at random places, this seed.
    Random(Body, u64),
    /// One chunk each.
    Whole,
}

/// The two bodies of an exchange.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Body {
    /// That of the request.
    Request,
    /// That of the upstream's answer.
    Answer,
}

impl Cuts {
    /// The cuts of an exchange, each different from the others. As written comes first.
    pub fn of(self, request: &Sent, answer: Option<&Sent>) -> Vec<Cut> {
        let length = |sent: &Sent| sent.chunks.iter().map(Vec::len).sum::<usize>();
        let sizes = [(Body::Request, length(request)), (Body::Answer, answer.map_or(0, length))];
        let two_parts = sizes.iter().any(|(_, size)| *size > 1);
        match self {
            Self::AsWritten => vec![Cut::AsWritten],
            Self::Whole => vec![Cut::Whole],
            Self::Bytes => vec![Cut::Bytes],
            Self::All if !two_parts => vec![Cut::AsWritten],
            Self::All => {
                let written_whole = request.chunks.len() <= 1 && answer.is_none_or(|answer| answer.chunks.len() <= 1);
                let mut cuts = vec![Cut::AsWritten];
                cuts.extend((!written_whole).then_some(Cut::Whole));
                cuts.push(Cut::Bytes);
                for (body, size) in sizes {
                    if size <= EVERY_PLACE {
                        let written = |at: usize| chunk_sizes(body, request, answer) == [at, size - at];
                        let others_whole = chunk_sizes(body.other(), request, answer).len() <= 1;
                        let two = (1..size).filter(|at| !(others_whole && written(*at)));
                        cuts.extend(two.map(|at| Cut::Two(body, at)));
                    } else {
                        cuts.extend((1..=RANDOM_CUTS).map(|seed| Cut::Random(body, seed)));
                    }
                }
                cuts
            }
        }
    }
}

fn chunk_sizes(body: Body, request: &Sent, answer: Option<&Sent>) -> Vec<usize> {
    let sent = if body == Body::Request { Some(request) } else { answer };
    sent.map(|sent| sent.chunks.iter().map(Vec::len).collect()).unwrap_or_default()
}

impl Body {
    fn other(self) -> Self {
        if self == Self::Request { Self::Answer } else { Self::Request }
    }
}

impl Cut {
    /// The chunks of `sent`, the body `body` of its exchange, under this cut.
    pub fn apply(self, body: Body, sent: &Sent) -> Vec<Vec<u8>> {
        let whole = || sent.chunks.concat();
        match self {
            Self::AsWritten => sent.chunks.clone(),
            Self::Bytes => sent.chunks.iter().flatten().map(|byte| vec![*byte]).collect(),
            Self::Two(which, at) if which == body => split(whole(), &[at]),
            Self::Random(which, seed) if which == body => {
                let whole = whole();
                let places = random_places(seed, whole.len());
                split(whole, &places)
            }
            Self::Two(..) | Self::Random(..) | Self::Whole => split(whole(), &[]),
        }
    }
}

/// Sorted places between the bytes of a body: one to sixteen of them, the same for the same seed and length.
fn random_places(seed: u64, length: usize) -> Vec<usize> {
    let mut state = seed ^ (length as u64).rotate_left(32);
    let mut next = || {
        // SplitMix64, G. Steele et al., "Fast splittable pseudorandom number generators".
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let count = 1 + next() % 16;
    let last = (length as u64).saturating_sub(1).max(1);
    let mut places: Vec<usize> = (0..count).filter_map(|_| usize::try_from(1 + next() % last).ok()).collect();
    places.sort_unstable();
    places.dedup();
    places
}

fn split(whole: Vec<u8>, places: &[usize]) -> Vec<Vec<u8>> {
    let mut rest = whole.as_slice();
    let mut taken = 0;
    let mut chunks = Vec::with_capacity(places.len() + 1);
    for place in places {
        let (head, tail) = rest.split_at((place - taken).min(rest.len()));
        chunks.push(head.to_vec());
        (rest, taken) = (tail, *place);
    }
    chunks.push(rest.to_vec());
    chunks.retain(|chunk| !chunk.is_empty());
    chunks
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |body: &Body| if *body == Body::Request { "request" } else { "answer" };
        match self {
            Self::AsWritten => f.write_str("as written"),
            Self::Bytes => f.write_str("single bytes"),
            Self::Two(body, at) => write!(f, "{} cut at {at}", name(body)),
            Self::Random(body, seed) => write!(f, "{} cut at random, seed {seed}", name(body)),
            Self::Whole => f.write_str("whole"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(parts: &[&str]) -> Sent {
        Sent { chunks: parts.iter().map(|part| part.as_bytes().to_vec()).collect(), ..Sent::default() }
    }

    #[test]
    fn all_cuts_are_different_and_keep_every_byte() {
        let (request, answer) = (sent(&["ab", "cd"]), sent(&[&"x".repeat(5000)]));
        let cuts = Cuts::All.of(&request, Some(&answer));
        assert_eq!(cuts.len(), 3 + 2 + 64, "as written is one of the two-chunk cuts");
        let mut seen = Vec::new();
        for cut in cuts {
            let chunks = (cut.apply(Body::Request, &request), cut.apply(Body::Answer, &answer));
            assert_eq!((chunks.0.concat(), chunks.1.concat()), (request.chunks.concat(), answer.chunks.concat()), "{cut}");
            if let Cut::Two(Body::Request, at) = cut {
                assert_eq!((chunks.0.len(), chunks.0[0].len(), chunks.1.len()), (2, at, 1));
            }
            if let Cut::Random(..) = cut {
                assert!(chunks.1.len() > 1 && chunks.0.len() == 1, "{cut}");
            }
            seen.push(chunks);
        }
        assert!(seen.iter().enumerate().all(|(i, chunks)| !seen[..i].contains(chunks)));
    }

    #[test]
    fn no_body_has_one_cut() {
        assert_eq!(Cuts::All.of(&Sent::default(), None), [Cut::AsWritten]);
        assert_eq!(Cut::Bytes.apply(Body::Request, &Sent::default()), Vec::<Vec<u8>>::new());
    }
}
