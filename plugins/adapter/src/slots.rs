//! Things by the number that the host gave them: mostly a few, some thousand where streams stay open.

/// Things by number. A map of the standard library would be 8 to 10 KB of code for each type that stands in one.
pub(crate) struct Slots<T> {
    index: Index,
    things: Vec<Option<(u32, T)>>,
    free: Vec<u32>,
    /// Where the thing stands that was looked for last: nearly always it is looked for again.
    last: usize,
}

/// Where the thing of a number stands: a table of `number << 32 | place + 1`, 0 where there is nothing, half empty.
#[derive(Default)]
struct Index {
    table: Vec<u64>,
    count: usize,
}

impl<T> Default for Slots<T> {
    fn default() -> Self {
        Self { index: Index::default(), things: Vec::new(), free: Vec::new(), last: 0 }
    }
}

impl<T> Slots<T> {
    /// Puts a thing in the place of what had its number.
    pub(crate) fn insert(&mut self, number: u32, thing: T) {
        if let Some(old) = self.get_mut(number) {
            *old = thing;
            return;
        }
        let place = self.free.pop().unwrap_or_else(|| {
            self.things.push(None);
            u32::try_from(self.things.len() - 1).unwrap_or(u32::MAX)
        });
        if let Some(slot) = self.things.get_mut(place as usize) {
            *slot = Some((number, thing));
            self.index.insert(number, place);
        }
    }

    pub(crate) fn get(&self, number: u32) -> Option<&T> {
        self.things.get(self.index.place(number)? as usize)?.as_ref().map(|(_, thing)| thing)
    }

    pub(crate) fn get_mut(&mut self, number: u32) -> Option<&mut T> {
        if !matches!(self.things.get(self.last), Some(Some((known, _))) if *known == number) {
            self.last = self.index.place(number)? as usize;
        }
        self.things.get_mut(self.last)?.as_mut().map(|(_, thing)| thing)
    }

    pub(crate) fn remove(&mut self, number: u32) -> Option<T> {
        let place = self.index.remove(number)?;
        self.free.push(place);
        self.things.get_mut(place as usize)?.take().map(|(_, thing)| thing)
    }

    /// The numbers of the things that are so.
    pub(crate) fn which(&self, so: impl Fn(&T) -> bool) -> Vec<u32> {
        self.things.iter().flatten().filter(|(_, thing)| so(thing)).map(|(number, _)| *number).collect()
    }
}

impl Index {
    /// Where `number` stands or would stand.
    fn find(&self, number: u32) -> usize {
        let mut at = self.home(number);
        while self.table.get(at).is_some_and(|entry| *entry != 0 && key(*entry) != number) {
            at = self.behind(at);
        }
        at
    }

    fn place(&self, number: u32) -> Option<u32> {
        let entry = *self.table.get(self.find(number))?;
        u32::try_from(entry & 0xffff_ffff).ok()?.checked_sub(1)
    }

    fn insert(&mut self, number: u32, place: u32) {
        if 2 * (self.count + 1) > self.table.len() {
            let grown = vec![0; (2 * self.table.len()).max(16)];
            for entry in core::mem::replace(&mut self.table, grown) {
                if entry != 0 {
                    self.set(self.find(key(entry)), entry);
                }
            }
        }
        self.count += 1;
        self.set(self.find(number), u64::from(number) << 32 | (u64::from(place) + 1));
    }

    fn remove(&mut self, number: u32) -> Option<u32> {
        let place = self.place(number)?;
        let mut hole = self.find(number);
        self.count -= 1;
        self.set(hole, 0);
        // What stands behind it may have been driven there by it.
        let mut at = self.behind(hole);
        while let Some(entry) = self.table.get(at).copied().filter(|entry| *entry != 0) {
            let mask = self.table.len() - 1;
            let from_home = at.wrapping_sub(self.home(key(entry))) & mask;
            if from_home >= at.wrapping_sub(hole) & mask {
                self.set(hole, entry);
                self.set(at, 0);
                hole = at;
            }
            at = self.behind(at);
        }
        Some(place)
    }

    fn set(&mut self, at: usize, to: u64) {
        if let Some(entry) = self.table.get_mut(at) {
            *entry = to;
        }
    }

    fn home(&self, number: u32) -> usize {
        (number.wrapping_mul(0x9e37_79b1) >> 8) as usize & self.table.len().wrapping_sub(1)
    }

    fn behind(&self, at: usize) -> usize {
        (at + 1) & self.table.len().wrapping_sub(1)
    }
}

fn key(entry: u64) -> u32 {
    (entry >> 32) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn is_a_map() {
        let (mut slots, mut map) = (Slots::default(), BTreeMap::new());
        let mut random = 1_u32;
        for step in 0..20_000_u32 {
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (random >> 16) % 300;
            if random & 0x8000 == 0 {
                slots.insert(number, step);
                map.insert(number, step);
            } else {
                assert_eq!(slots.remove(number), map.remove(&number));
            }
            assert_eq!(slots.get(number), map.get(&number));
            assert_eq!(slots.get_mut(number ^ 1), map.get_mut(&(number ^ 1)));
            assert_eq!(slots.index.count, map.len());
        }
        let mut all = slots.which(|_| true);
        all.sort_unstable();
        assert!(all.iter().eq(map.keys()));
        assert!(map.iter().all(|(number, thing)| slots.get(*number) == Some(thing)));
    }
}
