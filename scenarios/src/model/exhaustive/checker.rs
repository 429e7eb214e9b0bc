//! A bound as another model checker sees it, for the test that compares what both visit and for the bench.

use stateright::{Model, Property};

use super::{Place, Space};

pub(super) struct Stateright(pub(super) Space);

impl Model for Stateright {
    type State = Place;
    /// What an edge leads to.
    type Action = Place;

    fn init_states(&self) -> Vec<Place> {
        vec![self.0.start()]
    }

    fn actions(&self, state: &Place, actions: &mut Vec<Place>) {
        self.0.next(state, &mut |place| actions.push(place));
    }

    fn next_state(&self, _: &Place, action: Place) -> Option<Place> {
        Some(action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        // One that never fails, so that the other checker visits everything too.
        vec![Property::always("anything", |_, _| true)]
    }
}
