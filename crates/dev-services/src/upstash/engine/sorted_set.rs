//! A sorted set: members in the order of their scores, and of their bytes where scores are equal.
//!
//! Deliberately absent: scores with a fraction.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

#[derive(Debug, Default, PartialEq)]
pub struct SortedSet {
    scores: HashMap<Vec<u8>, i64>,
    order: BTreeSet<(i64, Vec<u8>)>,
}

impl SortedSet {
    /// Adds a member or changes its score. Returns true if the member is new.
    pub fn insert(&mut self, member: Vec<u8>, score: i64) -> bool {
        let before = self.scores.insert(member.clone(), score);
        if let Some(before) = before {
            self.order.remove(&(before, member.clone()));
        }
        self.order.insert((score, member));
        before.is_none()
    }

    pub fn remove(&mut self, member: &[u8]) -> bool {
        let Some(score) = self.scores.remove(member) else { return false };
        self.order.remove(&(score, member.to_vec()))
    }

    pub fn len(&self) -> usize {
        self.scores.len()
    }

    pub fn is_empty(&self) -> bool {
        self.scores.is_empty()
    }

    /// Returns all members with their scores, in order.
    pub fn iter(&self) -> impl Iterator<Item = &(i64, Vec<u8>)> {
        self.order.iter()
    }

    /// Converts the first and the last rank of a command. Negative ranks count from the end.
    pub fn ranks(&self, first: i64, last: i64) -> Range<usize> {
        let length = i64::try_from(self.len()).unwrap_or(i64::MAX);
        let from_start = |rank: i64| if rank < 0 { rank.saturating_add(length) } else { rank };
        let bounded = |rank: i64| usize::try_from(rank.clamp(0, length)).unwrap_or_default();
        let (start, end) = (from_start(first), from_start(last).saturating_add(1));
        bounded(start)..bounded(end).max(bounded(start))
    }
}
