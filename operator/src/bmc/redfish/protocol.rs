//! `nv_redfish::Bmc` over our HTTP edge.

use std::sync::Arc;

use bytes::Bytes;
use http::{Method, StatusCode};
use nv_redfish::core::query::ExpandQuery;
use nv_redfish::core::{
    Action, ActionError, Bmc, BmcErrorClass, BoxTryStream, EntityTypeRef, Expandable, FilterQuery,
    HttpPushUriUpdateRequest, ModificationResponse, MultipartUpdateRequest, NoRepair, ODataETag, ODataId, Repair,
    RepairError, SessionCreateResponse, UploadReader,
};
use serde::{Deserialize, Serialize};

use super::answer::{Answer, local_path};
use super::call::{Call, Outgoing};
use crate::bmc::BmcError;

impl nv_redfish::core::BmcError for BmcError {
    fn error_class(&self) -> BmcErrorClass {
        match self {
            Self::Unauthorized { .. } => BmcErrorClass::HttpResponse { status: 401 },
            Self::Http { status, .. } => BmcErrorClass::HttpResponse { status: *status },
            Self::ServiceUnavailable { .. } => BmcErrorClass::HttpResponse { status: 503 },
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Closed => BmcErrorClass::Transport,
            Self::Protocol { .. } => BmcErrorClass::ResponseParse,
            Self::Unsupported { .. } => BmcErrorClass::Other,
        }
    }
}

impl ActionError for BmcError {
    fn not_supported() -> Self {
        Self::Unsupported {
            what: "the action is not offered".to_owned(),
        }
    }
}

impl Call {
    async fn answer(&self, path: &str) -> Result<Answer, BmcError> {
        self.exchange(Outgoing::get(path)).await?.success(self.posted())
    }

    async fn entity<T: for<'de> Deserialize<'de>>(
        &self,
        path: &str,
        repair: &impl Repair,
    ) -> Result<Arc<T>, RepairError<BmcError>> {
        let answer = self.answer(path).await.map_err(RepairError::Transport)?;
        let document = || {
            let mut document = answer.document(path)?;
            repair.repair(&mut document);
            Ok(document)
        };
        let first = document().map_err(RepairError::Transport)?;
        if let Ok(entity) = T::deserialize(first) {
            return Ok(Arc::new(entity));
        }
        // Once more, to find the place of the error.
        let again = document().map_err(RepairError::Transport)?;
        serde_path_to_error::deserialize(again)
            .map(Arc::new)
            .map_err(RepairError::Decode)
    }

    /// The current `ETag` of a resource.
    async fn current_etag(&self, path: &str) -> Result<Option<String>, BmcError> {
        let document = self.answer(path).await?.document(path)?;
        Ok(document["@odata.etag"]
            .as_str()
            .filter(|etag| !etag.is_empty())
            .map(str::to_owned))
    }

    async fn write<V: Serialize>(
        &self,
        method: Method,
        path: &str,
        etag: Option<&ODataETag>,
        body: &V,
    ) -> Result<Answer, BmcError> {
        let body = serde_json::to_vec(body).map_err(|error| BmcError::Protocol {
            uri: path.to_owned(),
            message: format!("the request could not be written: {error}"),
            sent: self.posted(),
        })?;
        let mut request = Outgoing::new(method, path, Bytes::from(body));
        // Some BMCs send empty tags and then refuse them.
        request.if_match = etag.map(ToString::to_string).filter(|etag| !etag.is_empty());
        self.exchange(request).await
    }
}

fn decode_error(error: RepairError<BmcError>, uri: &ODataId) -> BmcError {
    super::document::compat_error(error, &uri.to_string())
}

/// For the parts of the trait that no operation of ours uses: firmware uploads and event streams.
fn unused(what: &str) -> BmcError {
    BmcError::Unsupported { what: what.to_owned() }
}

impl Bmc for Call {
    type Error = BmcError;

    async fn expand<T: Expandable>(&self, id: &ODataId, query: ExpandQuery) -> Result<Arc<T>, BmcError> {
        self.expand_repaired(id, query, &NoRepair)
            .await
            .map_err(|error| decode_error(error, id))
    }

    async fn get<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
    ) -> Result<Arc<T>, BmcError> {
        self.get_repaired(id, &NoRepair)
            .await
            .map_err(|error| decode_error(error, id))
    }

    async fn filter<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
        query: FilterQuery,
    ) -> Result<Arc<T>, BmcError> {
        self.filter_repaired(id, query, &NoRepair)
            .await
            .map_err(|error| decode_error(error, id))
    }

    async fn get_repaired<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
        repair: &impl Repair,
    ) -> Result<Arc<T>, RepairError<BmcError>> {
        self.entity(&id.to_string(), repair).await
    }

    async fn expand_repaired<T: Expandable>(
        &self,
        id: &ODataId,
        query: ExpandQuery,
        repair: &impl Repair,
    ) -> Result<Arc<T>, RepairError<BmcError>> {
        self.entity(&with_query(id, &query.to_query_string()), repair).await
    }

    async fn filter_repaired<T: EntityTypeRef + for<'de> Deserialize<'de> + 'static>(
        &self,
        id: &ODataId,
        query: FilterQuery,
        repair: &impl Repair,
    ) -> Result<Arc<T>, RepairError<BmcError>> {
        self.entity(&with_query(id, &query.to_query_string()), repair).await
    }

    async fn create<V: Send + Sync + Serialize, R: Send + Sync + for<'de> Deserialize<'de>>(
        &self,
        id: &ODataId,
        query: &V,
    ) -> Result<ModificationResponse<R>, BmcError> {
        let answer = self.write(Method::POST, &id.to_string(), None, query).await?;
        Ok(answer.success(true)?.modification())
    }

    async fn create_session<V: Send + Sync + Serialize, R: Send + Sync + for<'de> Deserialize<'de>>(
        &self,
        _id: &ODataId,
        _query: &V,
    ) -> Result<SessionCreateResponse<R>, BmcError> {
        // Sessions belong to the pool (session.rs): one made here would be closed by nobody.
        Err(unused("sessions beside the pool's"))
    }

    async fn update<V: Sync + Send + Serialize, R: Send + Sync + Sized + for<'de> Deserialize<'de>>(
        &self,
        id: &ODataId,
        etag: Option<&ODataETag>,
        update: &V,
    ) -> Result<ModificationResponse<R>, BmcError> {
        let path = id.to_string();
        let mut answer = self.write(Method::PATCH, &path, etag, update).await?;
        if matches!(
            answer.status,
            StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED
        ) {
            // Changed since it was read, or a tag is demanded: once more with the current one.
            let wildcard = answer.status == StatusCode::PRECONDITION_REQUIRED;
            let current = self
                .current_etag(&path)
                .await?
                .or_else(|| wildcard.then(|| "*".to_owned()));
            answer = self
                .write(Method::PATCH, &path, current.map(ODataETag::from).as_ref(), update)
                .await?;
        }
        if answer.status == StatusCode::PRECONDITION_FAILED {
            // The BMC refuses the tag it has just given: contract section 9.1 goes without.
            answer = self.write(Method::PATCH, &path, None, update).await?;
        }
        Ok(answer.success(true)?.modification())
    }

    async fn delete<R: EntityTypeRef + for<'de> Deserialize<'de>>(
        &self,
        id: &ODataId,
    ) -> Result<ModificationResponse<R>, BmcError> {
        let request = Outgoing {
            method: Method::DELETE,
            path: local_path(&id.to_string()),
            if_match: None,
            body: None,
        };
        Ok(self.exchange(request).await?.success(true)?.modification())
    }

    async fn action<T: Send + Sync + Serialize, R: Send + Sync + Sized + for<'de> Deserialize<'de>>(
        &self,
        action: &Action<T, R>,
        params: &T,
    ) -> Result<ModificationResponse<R>, BmcError> {
        let target = action.target.as_str();
        // No If-Match on actions (bugs.md #110); a BMC that demands one has not executed anything.
        let mut answer = self.write(Method::POST, target, None, params).await?;
        if matches!(
            answer.status,
            StatusCode::PRECONDITION_FAILED | StatusCode::PRECONDITION_REQUIRED
        ) {
            answer = self
                .write(Method::POST, target, Some(&ODataETag::from("*".to_owned())), params)
                .await?;
        }
        Ok(answer.success(true)?.modification())
    }

    async fn poll<R: Send + Sync + Sized + for<'de> Deserialize<'de>>(
        &self,
        uri: &ODataId,
    ) -> Result<ModificationResponse<R>, BmcError> {
        let answer = self
            .exchange(Outgoing::get(&uri.to_string()))
            .await?
            .success(self.posted())?;
        Ok(answer.modification())
    }

    async fn multipart_update<U, V, R>(
        &self,
        _uri: &str,
        _request: MultipartUpdateRequest<'_, U, V>,
    ) -> Result<ModificationResponse<R>, BmcError>
    where
        U: UploadReader,
        R: Send + Sync + for<'de> Deserialize<'de>,
        V: Send + Sync + Serialize,
    {
        Err(unused("firmware upload"))
    }

    async fn http_push_uri_update<U, R>(
        &self,
        _uri: &str,
        _request: HttpPushUriUpdateRequest<U>,
    ) -> Result<ModificationResponse<R>, BmcError>
    where
        U: UploadReader,
        R: Send + Sync + for<'de> Deserialize<'de>,
    {
        Err(unused("firmware upload"))
    }

    async fn stream<T: Sized + for<'de> Deserialize<'de> + Send + 'static>(
        &self,
        _uri: &str,
    ) -> Result<BoxTryStream<T, BmcError>, BmcError> {
        Err(unused("event streams"))
    }
}

fn with_query(id: &ODataId, query: &str) -> String {
    let id = id.to_string();
    let separator = if id.contains('?') { '&' } else { '?' };
    format!("{id}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use http::header;

    use super::*;

    #[test]
    fn queries_are_appended() {
        assert_eq!(with_query(&ODataId::from("/a".to_owned()), "$expand=."), "/a?$expand=.");
        assert_eq!(
            with_query(&ODataId::from("/a?b=c".to_owned()), "$expand=."),
            "/a?b=c&$expand=."
        );
    }

    #[test]
    fn nothing_is_read_from_a_location_header_alone() {
        let answer = Answer {
            status: StatusCode::CREATED,
            headers: [(header::LOCATION, "/redfish/v1/x/1".parse().expect("header"))]
                .into_iter()
                .collect(),
            body: Bytes::new(),
        };
        assert!(matches!(answer.modification::<()>(), ModificationResponse::Empty));
    }
}
