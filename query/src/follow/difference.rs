//! Where two logs part.
//!
//! Owns the search for it. Each record holds the hash of the one before it, and so stands for all before it: where one is
//! the same in both logs, so are all before it, and the first that is another one is found by halves.

use counterfoil_ledger::{Head, LedgerError, Replica};
use counterfoil_proto::v1::{GetConsistencyProofRequest, GetRecordRequest};
use counterfoil_verify::hash::Hash;
use counterfoil_verify::proof::verify_consistency;
use counterfoil_verify::tree::{RecordIndex, TreeSize};
use tonic::Status;
use tonic::body::Body;
use tonic::client::GrpcService;
use tonic::codegen::{Body as HttpBody, Bytes, StdError};

use super::{Follower, Trouble};

impl<T> Follower<T>
where
    T: GrpcService<Body> + Clone + Send + Sync + 'static,
    T::Error: Into<StdError>,
    T::Future: Send,
    T::ResponseBody: HttpBody<Data = Bytes> + Send + 'static,
    <T::ResponseBody as HttpBody>::Error: Into<StdError> + Send,
{
    /// What to say of records that do not go on from the replica. Those that were taken and that no checkpoint confirmed are
    /// forgotten: they may be what is wrong.
    pub(super) async fn parted(&mut self, error: &LedgerError, checkpoint: Vec<u8>) -> Trouble {
        let name = self.source.name.clone();
        let forgotten = self.on_replica(|replica: &mut Replica| {
            let head = replica.reader().head();
            let unconfirmed = replica.size().0 - head.size.0;
            if unconfirmed > 0 {
                replica.forget_unconfirmed()?;
            }
            Ok((unconfirmed, head))
        });
        let (unconfirmed, confirmed) = match forgotten.await {
            Ok(found) => found,
            Err(error) => return Trouble::Refused(format!("{name}: {error}")),
        };
        if unconfirmed > 0 && self.has_unconfirmed {
            return Trouble::Unreachable(format!(
                "{name}: {error}; {unconfirmed} records that no checkpoint had confirmed yet are copied again"
            ));
        }
        match self.contradicts(&confirmed, checkpoint.clone()).await {
            Ok(true) => {}
            Ok(false) => {
                return Trouble::Refused(format!("{name} sends other records than the log's key has signed: {error}"));
            }
            Err(why) => return Trouble::Refused(format!("{name}: {error}, and {why}")),
        }
        let place = match self.first_difference(confirmed.size).await {
            Ok(Some(index)) => format!("record {index} is another one there than in this replica"),
            Ok(None) => error.to_string(),
            Err(status) => format!("{error} (where they part could not be found out: {})", status.message()),
        };
        let evidence = match self.on_replica(move |replica| replica.keep_evidence(&checkpoint)).await {
            Ok(Some(file)) => format!(
                "the log's key has signed both, and {} holds the two checkpoints: there can be no proof that one goes on \
                 from the other",
                file.display()
            ),
            Ok(None) => "its checkpoint is not signed".to_owned(),
            Err(error) => format!("the two checkpoints could not be kept: {error}"),
        };
        Trouble::Refused(format!("{name} has another history of this log: {place}; {evidence}"))
    }

    /// Whether a signed checkpoint of the server's is of another history than the one that was confirmed. Where it is of a
    /// larger tree, the server has to prove that it is not (RFC 9162, section 2.1.4).
    async fn contradicts(&mut self, confirmed: &Head, checkpoint: Vec<u8>) -> Result<bool, String> {
        let note = checkpoint.clone();
        let compared = self.on_replica(move |replica| {
            let signed = replica.signed(&note)?;
            let is_known = signed.size <= replica.size();
            let is_other = is_known && replica.confirm(&note).is_err();
            Ok((signed, is_known.then_some(is_other)))
        });
        let signed = match compared.await.map_err(|error| error.to_string())? {
            (_, Some(is_other)) => return Ok(is_other),
            (signed, None) => signed,
        };
        if confirmed.size.0 == 0 {
            return Ok(false);
        }
        let request =
            GetConsistencyProofRequest { old_size: confirmed.size.0, tree_size: signed.size.0, min_tree_size: 0 };
        let proof = match self.source.client.get_consistency_proof(request).await {
            Ok(proof) => proof.into_inner().path,
            Err(_) => return Ok(true),
        };
        let path: Result<Vec<Hash>, _> = proof.iter().map(|hash| Hash::from_slice(hash)).collect();
        let is_proved = path.is_ok_and(|path| {
            verify_consistency(confirmed.size, confirmed.root, signed.size, signed.root, &path).is_ok()
        });
        Ok(!is_proved)
    }

    /// The first record that the server has otherwise, of those that were confirmed.
    async fn first_difference(&mut self, confirmed: TreeSize) -> Result<Option<RecordIndex>, Status> {
        let (mut same, mut other) = (0, confirmed.0);
        while same < other {
            let middle = same + (other - same) / 2;
            match self.is_same(RecordIndex(middle)).await? {
                true => same = middle + 1,
                false => other = middle,
            }
        }
        Ok((same < confirmed.0).then_some(RecordIndex(same)))
    }

    /// Whether the server has the same record at a place; one that it has not is another one.
    async fn is_same(&mut self, index: RecordIndex) -> Result<bool, Status> {
        let request = GetRecordRequest { index: index.0, min_tree_size: 0 };
        let theirs = match self.source.client.get_record(request).await {
            Ok(record) => record.into_inner().record_bytes,
            Err(status) if status.code() == tonic::Code::NotFound => return Ok(false),
            Err(status) => return Err(status),
        };
        let ours = self.on_replica(move |replica| replica.taken(index)).await;
        Ok(ours.map_err(|error| Status::internal(error.to_string()))? == theirs)
    }
}
