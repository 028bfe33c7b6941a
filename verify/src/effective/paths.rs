//! All paths to one access, up to a limit.
//!
//! Owns their order, the best first and then by length, and how much work is put into finding them. A path passes no
//! entity twice in one scope, so that a cycle adds none.

use std::collections::VecDeque;

use super::{Access, Hop, Step};

/// How many beginnings of paths are looked at for one access: a dense graph has more paths than anybody could read.
const TRIED_MAX: usize = 10_000;

/// Paths to one access.
#[derive(Debug)]
pub struct Paths<'a> {
    /// The best first.
    pub paths: Vec<Vec<Step<'a>>>,
    /// There may be more.
    pub is_cut: bool,
}

/// The end of a path: the places of it from its end to where it is known, and the steps between them.
#[derive(Clone)]
struct End<'a> {
    places: Vec<usize>,
    steps: Vec<&'a (usize, Hop)>,
}

impl<'a> Access<'a> {
    /// The paths to it, as many as were asked for when the walk was made.
    pub fn paths(&self) -> Paths<'a> {
        let walk = self.walk;
        let best = self.path();
        let mut found = Paths { paths: vec![best], is_cut: false };
        if walk.limits.paths == 1 {
            return found;
        }
        let mut ends = VecDeque::from([End { places: vec![self.place], steps: Vec::new() }]);
        let mut tried = 0;
        while let Some(end) = ends.pop_front() {
            tried += 1;
            if found.paths.len() == walk.limits.paths || tried > TRIED_MAX {
                found.is_cut = true;
                break;
            }
            let first = end.places[end.places.len() - 1];
            if walk.best(first).from.is_none() {
                let path = self.steps(&end);
                let is_best = path.len() == found.paths[0].len()
                    && path
                        .iter()
                        .zip(&found.paths[0])
                        .all(|(one, other)| (one.from, one.to) == (other.from, other.to) && one.hop == other.hop);
                if !is_best {
                    found.paths.push(path);
                }
                continue;
            }
            for step in walk.into.get(&first).into_iter().flatten().filter(|(from, _)| !end.places.contains(from)) {
                if ends.len() == TRIED_MAX {
                    found.is_cut = true;
                    break;
                }
                let mut longer = end.clone();
                longer.places.push(step.0);
                longer.steps.push(step);
                ends.push_back(longer);
            }
        }
        found
    }

    fn steps(&self, end: &End<'a>) -> Vec<Step<'a>> {
        let places = &self.walk.places;
        let step = |(number, step): (usize, &&'a (usize, Hop))| Step {
            from: &places[step.0].entity,
            to: &places[end.places[number]].entity,
            hop: &step.1,
        };
        let mut steps: Vec<Step<'a>> = end.steps.iter().enumerate().map(step).collect();
        steps.reverse();
        steps
    }
}
