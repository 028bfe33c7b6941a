//! COSE receipts of a ledger's records. Owns which tree they are about: the newest that is signed and anchored already, so that
//! nothing is signed here that no checkpoint says. Never about another one, and never without the ledger's own key.

use counterfoil_verify::checkpoint::Checkpoint;
use counterfoil_verify::receipt::CoseReceipt;
use counterfoil_verify::record;
use counterfoil_verify::tree::RecordIndex;

use crate::error::{LedgerError, Result};
use crate::ledger::Ledger;
use crate::read::Head;

impl Ledger {
    /// The receipt that record `index` is in the tree (RFC 9942 section 5.2), signed with the log's key.
    ///
    /// # Errors
    /// [`LedgerError::NoSuchRecord`] past the head; [`LedgerError::Falsified`] if the record, or its path, is not what was
    /// signed.
    pub fn cose_receipt(&self, index: RecordIndex) -> Result<CoseReceipt> {
        let reader = self.reader();
        let Head { origin, size, root, .. } = reader.head();
        if index.0 >= size.0 {
            return Err(LedgerError::NoSuchRecord { index, size });
        }
        let leaf = record::hash(&reader.record_bytes(index)?);
        let path = reader.inclusion_proof(index, size)?;
        let key = self.keys().signing_key(&origin);
        let made = CoseReceipt::of_inclusion(&Checkpoint { origin, size, root }, (leaf, index), path, &key);
        made.map_err(|error| LedgerError::falsified(format!("record {index}"), error))
    }
}
