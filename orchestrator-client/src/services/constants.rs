//! Named values.

use orchestrator_proto::v1 as pb;

use super::{all_pages, service};
use crate::Error;
use crate::client::present;

service!(
    /// Named values that robots read.
    Constants
);

impl Constants<'_> {
    /// All constants, by name.
    pub async fn list(&self) -> Result<Vec<pb::Constant>, Error> {
        all_pages!(
            self.client,
            "/orchestrator.v1.ConstantService/List",
            pb::ListConstantsRequest::default(),
            pb::ListConstantsResponse,
            constants,
            usize::MAX
        )
    }

    /// One constant.
    pub async fn get(&self, name: &str) -> Result<pb::Constant, Error> {
        let request = pb::GetConstantRequest { name: name.to_owned() };
        let answer: pb::GetConstantResponse = self.client.call("/orchestrator.v1.ConstantService/Get", request).await?;
        present(self.client.url(), "constant", answer.constant)
    }

    /// Creates or replaces a constant.
    pub async fn set(&self, name: &str, value: &str) -> Result<pb::Constant, Error> {
        let request = pb::SetConstantRequest { name: name.to_owned(), value: value.to_owned(), create_only: false };
        let answer: pb::SetConstantResponse = self.client.call("/orchestrator.v1.ConstantService/Set", request).await?;
        present(self.client.url(), "constant", answer.constant)
    }

    /// Removes a constant.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let request = pb::DeleteConstantRequest { name: name.to_owned() };
        let answer = self.client.call_removing("/orchestrator.v1.ConstantService/Delete", request).await?;
        let pb::DeleteConstantResponse {} = answer;
        Ok(())
    }
}
