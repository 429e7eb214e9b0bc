//! A schedule that goes two ways, made small: whatever can be left out is.

use super::Difference;
use super::turn::Turn;

/// How often a smaller one is tried. Who reads a failure gains more from the first hundred than from the rest.
const TRIES_MAX: usize = 100;

/// Leaves out parts, large ones first, as long as both sides still differ.
pub(super) fn shrink(
    difference: Difference,
    mut play: impl FnMut(Vec<Turn>) -> Option<Difference>,
) -> Difference {
    let mut smallest = difference;
    let mut tries = 0;
    let mut part = smallest.turns.len() / 2;
    while part > 0 {
        let mut from = 0;
        while from < smallest.turns.len() && tries < TRIES_MAX {
            tries += 1;
            let turns = smallest.turns.iter().enumerate();
            let left = turns.filter(|(at, _)| !(from..from + part).contains(at)).map(|(_, &turn)| turn);
            match play(left.collect()) {
                Some(smaller) if smaller.turns.len() < smallest.turns.len() => smallest = smaller,
                _ => from += part,
            }
        }
        part /= 2;
    }
    smallest
}
