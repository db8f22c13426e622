"""Amazon Bedrock's Converse and ConverseStream, as a client's format and as a vendor's."""
