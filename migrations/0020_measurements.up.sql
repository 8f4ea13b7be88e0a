-- What a worker measured beside the items' times, of the attempts whose results were scored.

CREATE TABLE measurements (
    attempt_id   uuid PRIMARY KEY REFERENCES jobs ON DELETE CASCADE,
    measurements jsonb NOT NULL
);
COMMENT ON TABLE measurements IS 'Latency by length, throughput, calibration, devices and doubts; changes no score.';
COMMENT ON COLUMN measurements.measurements IS 'protocol::Measurements as the worker handed it in.';
