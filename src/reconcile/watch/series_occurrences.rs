//! The occurrences of series, read before one of them is cancelled: a list shows an occurrence only
//! while it is accepted.

use std::collections::BTreeMap;

use crate::domain::id::{BookingUid, RequestId};
use crate::reconcile::context::{PassError, Ports};

/// The occurrences of the series that one watch has read; `None` if the read failed.
#[derive(Debug, Default)]
pub(super) struct SeriesOccurrences(BTreeMap<RequestId, Option<Vec<BookingUid>>>);

impl SeriesOccurrences {
    /// Returns the occurrences of a series, whatever their status, or `None` if they could not be
    /// read. Each series is read once.
    pub(super) async fn read(
        &mut self,
        ports: &Ports<'_>,
        series: &RequestId,
    ) -> Result<Option<Vec<BookingUid>>, PassError> {
        if let Some(occurrences) = self.0.get(series) {
            return Ok(occurrences.clone());
        }
        let occurrences = read_series(ports, series).await?;
        self.0.insert(series.clone(), occurrences.clone());
        Ok(occurrences)
    }
}

/// Reads a series. In v1, which has no such read, a confirm accepts one booking only.
async fn read_series(
    ports: &Ports<'_>,
    series: &RequestId,
) -> Result<Option<Vec<BookingUid>>, PassError> {
    let uid = series.uid();
    let read_result = tokio::select! {
        biased;
        () = ports.stop.stopped() => return Ok(None),
        read = ports.calendar.series(&uid) => read,
    };
    match read_result {
        Ok(all) => {
            let all = all.unwrap_or_default().into_iter();
            Ok(Some(all.map(|one| one.uid).collect()))
        }
        Err(error) if error.is_fatal_for_pass() => Err(error.into()),
        Err(_) => Ok(None),
    }
}
