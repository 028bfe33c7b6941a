//! `SourceService`: what the sources have delivered.

use counterfoil_proto::v1::source_service_server::SourceService;
use counterfoil_proto::v1::{
    GetDeadLetterRequest, GetDeadLetterResponse, ListDeadLettersRequest, ListDeadLettersResponse, ListSourcesRequest,
    ListSourcesResponse, Withheld,
};
use counterfoil_verify::tree::RecordIndex;
use tonic::{Request, Response, Status};

use crate::answers::Page;
use crate::services::{Answers, page_size};

#[tonic::async_trait]
impl SourceService for Answers {
    async fn list_sources(
        &self,
        request: Request<ListSourcesRequest>,
    ) -> Result<Response<ListSourcesResponse>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        self.ask(request, min_tree_size, |query, _, _| Ok(query.sources()?)).await
    }

    async fn list_dead_letters(
        &self,
        request: Request<ListDeadLettersRequest>,
    ) -> Result<Response<ListDeadLettersResponse>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        self.ask(request, min_tree_size, |query, asked, _| {
            let page = Page { size: page_size(asked.page_size)?, token: asked.page_token };
            Ok(query.dead_letters(RecordIndex(asked.from), asked.with_retried, &page)?)
        })
        .await
    }

    async fn get_dead_letter(
        &self,
        request: Request<GetDeadLetterRequest>,
    ) -> Result<Response<GetDeadLetterResponse>, Status> {
        let min_tree_size = request.get_ref().min_tree_size;
        self.ask(request, min_tree_size, |query, asked, _| {
            let index = RecordIndex(asked.record);
            // A record that is not there is told from one that holds something else.
            query.record(index)?;
            let dead_letter = query.dead_letter(index)?;
            let mut basis = query.basis();
            if !basis.withheld.is_empty() {
                // Its bytes are a payload.
                basis.withheld.push(Withheld::Payloads.into());
            }
            Ok(GetDeadLetterResponse { basis: Some(basis), dead_letter: Some(dead_letter) })
        })
        .await
    }
}
