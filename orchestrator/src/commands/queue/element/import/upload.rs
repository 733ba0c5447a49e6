//! The messages of an upload: of bounded size, so that every server takes them.

use orchestrator_proto::v1 as pb;
use prost::Message as _;

use crate::output::Progress;

/// One message of the upload: few enough bytes for every server's limit.
const MESSAGE_ELEMENTS: usize = 500;
const MESSAGE_BYTES: usize = 1 << 20;

/// Cuts the elements into messages of bounded size. The first one names the queue.
pub(super) fn messages(queue: &str, elements: Vec<pb::NewElement>) -> Vec<pb::BulkCreateRequest> {
    let mut messages = vec![pb::BulkCreateRequest { queue_name: queue.to_owned(), ..Default::default() }];
    let mut bytes = 0;
    for element in elements {
        let length = element.encoded_len();
        let full = |message: &pb::BulkCreateRequest| {
            message.elements.len() >= MESSAGE_ELEMENTS
                || (bytes + length > MESSAGE_BYTES && !message.elements.is_empty())
        };
        if messages.last().is_none_or(full) {
            messages.push(pb::BulkCreateRequest::default());
            bytes = 0;
        }
        bytes += length;
        if let Some(message) = messages.last_mut() {
            message.elements.push(element);
        }
    }
    messages
}

pub(super) fn upload(
    mut messages: Vec<pb::BulkCreateRequest>,
    repeat: bool,
    progress: Progress,
) -> impl Iterator<Item = pb::BulkCreateRequest> {
    if let Some(first) = messages.first_mut() {
        first.repeat = repeat;
    }
    messages.into_iter().inspect(move |message| progress.add(message.elements.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(data: usize) -> pb::NewElement {
        pb::NewElement { data: Some("x".repeat(data)), ..pb::NewElement::default() }
    }

    #[test]
    fn an_upload_is_cut_by_number_and_by_size_and_loses_nothing() {
        let many = messages("q", (0..1200).map(|_| element(10)).collect());
        assert_eq!(many.iter().map(|m| m.elements.len()).collect::<Vec<_>>(), [500, 500, 200]);
        assert_eq!((many[0].queue_name.as_str(), many[1].queue_name.as_str()), ("q", ""));
        let large = messages("q", (0..3).map(|_| element(600 << 10)).collect());
        assert_eq!(large.iter().map(|m| m.elements.len()).collect::<Vec<_>>(), [1, 1, 1]);
    }

    #[test]
    fn only_the_first_message_says_that_it_is_a_repetition() {
        let messages = messages("q", (0..600).map(|_| element(1)).collect());
        let sent: Vec<_> = upload(messages, true, Progress::new("Sending", 600, false)).collect();
        assert_eq!(sent.iter().map(|m| m.repeat).collect::<Vec<_>>(), [true, false]);
    }
}
