//! Without the feature `peers` nobody is compared with.

use super::machines::Part;
use crate::contest::Group;

macro_rules! nobody {
    ($($work:ident($($unused:ident: $kind:ty),*))*) => {
        $(pub(super) fn $work(group: Group $(, $unused: $kind)*) -> Group { group })*
    };
}
nobody! {
    parse() parse_fingerprint() build() response_parse() response_build()
    channel_parse() send_parse() send_build() frame()
    batches(_part: Part, _outstanding: usize) wake(_outstanding: usize) serve()
}
