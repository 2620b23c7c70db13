"""The API: REST under `/v1` and a WebSocket stream, in front of the engine and the mirror."""
