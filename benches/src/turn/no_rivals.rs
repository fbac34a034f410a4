//! Without the feature `peers` nobody is compared with.

use super::Way;
use crate::contest::Group;

pub(super) fn relay(group: Group, _count: usize, _way: Way, _random: bool) -> Group {
    group
}
pub(super) fn wake(group: Group, _count: usize) -> Group {
    group
}
pub(super) fn challenge(group: Group) -> Group {
    group
}
