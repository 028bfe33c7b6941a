//! Answers that carry proofs of what they name.
//!
//! Owns which records and entities an answer names: what its fields are called tells. A field `record` or `records` has the
//! indexes of records, and a `Party` is an entity. It makes no proof: `answers::proofs` does.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use counterfoil_proto::DESCRIPTORS;
use counterfoil_proto::v1::*;
use counterfoil_verify::time::Moment;
use counterfoil_verify::tree::RecordIndex;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use tonic::{Request, Response, Status};

use crate::answers::{Proved, Query};
use crate::services::Answers;

/// The message of an entity, by its full name.
const PARTY: &str = "counterfoil.v1.Party";
/// The messages of which nothing is proved: what an answer rests on is no part of it.
const BASIS: &str = "counterfoil.v1.Basis";

/// A question whose answer may carry proofs.
pub(crate) trait Question: Clone + Send + 'static {
    /// How many records the answer has to rest on.
    fn min_tree_size(&self) -> u64;
    /// Whether it is to carry proofs.
    fn with_proof(&self) -> bool;
}

/// An answer that may carry proofs.
pub(crate) trait Answer: Message + Send + 'static {
    /// The full name of its message.
    const NAME: &'static str;
    /// What it rests on.
    fn basis(&mut self) -> &mut Basis;
}

macro_rules! questions {
    ($($request:ident => $response:ident,)*) => { $(
        impl Question for $request {
            fn min_tree_size(&self) -> u64 {
                self.min_tree_size
            }

            fn with_proof(&self) -> bool {
                self.with_proof
            }
        }

        impl Answer for $response {
            const NAME: &'static str = concat!("counterfoil.v1.", stringify!($response));

            fn basis(&mut self) -> &mut Basis {
                self.basis.get_or_insert_default()
            }
        }
    )* };
}

questions! {
    ListIdentitiesRequest => ListIdentitiesResponse,
    GetStateRequest => GetStateResponse,
    GetHistoryRequest => GetHistoryResponse,
    DiffStateRequest => DiffStateResponse,
    ListHoldersRequest => ListHoldersResponse,
    GetEffectiveAccessRequest => GetEffectiveAccessResponse,
    ListAffectedRequest => ListAffectedResponse,
    GetBlastRadiusRequest => GetBlastRadiusResponse,
    ListCapableIdentitiesRequest => ListCapableIdentitiesResponse,
    ListNonHumanIdentitiesRequest => ListNonHumanIdentitiesResponse,
    ListIntegrationPathsRequest => ListIntegrationPathsResponse,
    GetInventoryReportRequest => GetInventoryReportResponse,
    ExplainChangeRequest => ExplainChangeResponse,
    ListChangesRequest => ListChangesResponse,
    ReconcileRequest => ReconcileResponse,
    TraceTicketRequest => TraceTicketResponse,
    ExplainGrantRequest => ExplainGrantResponse,
    PlanReversalRequest => PlanReversalResponse,
}

impl Answers {
    /// Makes an answer, and with it the proofs that were asked for: of what it names, by a seal that covers all that it may
    /// rest on.
    pub(crate) async fn answer<Q: Question, A: Answer>(
        &self,
        request: Request<Q>,
        answer: impl Fn(&Query<'_>, Q, Moment) -> Result<A, Status> + Clone + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let min_tree_size = request.get_ref().min_tree_size();
        match request.get_ref().with_proof() {
            false => self.ask(request, min_tree_size, answer).await,
            true => self.answer_proved(request, min_tree_size, answer).await,
        }
    }

    /// The same for answers that are mostly at hand.
    pub(crate) async fn answer_quickly<Q: Question, A: Answer>(
        &self,
        request: Request<Q>,
        answer: impl Fn(&Query<'_>, Q, Moment) -> Result<A, Status> + Clone + Send + 'static,
    ) -> Result<Response<A>, Status> {
        let min_tree_size = request.get_ref().min_tree_size();
        match request.get_ref().with_proof() {
            false => self.ask_quickly(request, min_tree_size, answer).await,
            true => self.answer_proved(request, min_tree_size, answer).await,
        }
    }

    async fn answer_proved<Q: Question, A: Answer>(
        &self,
        request: Request<Q>,
        min_tree_size: u64,
        answer: impl Fn(&Query<'_>, Q, Moment) -> Result<A, Status> + Clone + Send + 'static,
    ) -> Result<Response<A>, Status> {
        self.ask_sealed(request, min_tree_size, move |query, asked, now, min_covered| {
            let mut answered = answer(query, asked, now)?;
            let (_, proof) = query.proofs(&named(&answered), min_covered)?;
            answered.basis().proof = Some(proof);
            Ok(answered)
        })
        .await
    }
}

/// The records and the entities that an answer names.
fn named<A: Answer>(answer: &A) -> Proved {
    static POOL: LazyLock<DescriptorPool> =
        LazyLock::new(|| DescriptorPool::decode(DESCRIPTORS).expect("they were made when this was built"));
    let descriptor = POOL.get_message_by_name(A::NAME).expect("each answer is described");
    let message = DynamicMessage::decode(descriptor, answer.encode_to_vec().as_slice())
        .expect("what was encoded as this message is one");
    let mut named = Proved::default();
    of_message(&message, &mut named);
    named
}

fn of_message(message: &DynamicMessage, named: &mut Proved) {
    let descriptor = message.descriptor();
    if descriptor.full_name() == BASIS {
        return;
    }
    for (field, value) in message.fields() {
        match (field.name(), value) {
            ("id", Value::String(id)) if descriptor.full_name() == PARTY => named.entities.extend(id.parse()),
            ("record" | "records", value) => of_records(value, &mut named.records),
            _ => {}
        }
        of_value(value, named);
    }
}

fn of_value(value: &Value, named: &mut Proved) {
    match value {
        Value::Message(message) => of_message(message, named),
        Value::List(values) => values.iter().for_each(|value| of_value(value, named)),
        Value::Map(values) => values.values().for_each(|value| of_value(value, named)),
        _ => {}
    }
}

fn of_records(value: &Value, records: &mut BTreeSet<RecordIndex>) {
    match value {
        Value::U64(index) => drop(records.insert(RecordIndex(*index))),
        Value::List(values) => values.iter().for_each(|value| of_records(value, records)),
        _ => {}
    }
}
