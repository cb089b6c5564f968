"""The hub's tables in PostgreSQL's words."""

from __future__ import annotations

HUB = """
CREATE TABLE hub_upload (
    upload_id    TEXT PRIMARY KEY,
    data_id      TEXT NOT NULL UNIQUE,
    new_filename TEXT NOT NULL,
    file_name    TEXT NOT NULL,
    parts        BIGINT NOT NULL,
    physical_sample_id TEXT,
    begun_at_us  BIGINT NOT NULL,
    finished_at_us BIGINT,
    size_bytes   BIGINT,
    sha256       TEXT NOT NULL DEFAULT '',
    sha3_256     TEXT NOT NULL DEFAULT '',
    record_id    TEXT NOT NULL DEFAULT '',
    unreadable   TEXT NOT NULL DEFAULT '',
    key_id       TEXT NOT NULL DEFAULT '',
    taken        BIGINT NOT NULL DEFAULT 0,
    same_as      TEXT,
    touched_at_us BIGINT NOT NULL DEFAULT 0,
    members      BIGINT NOT NULL DEFAULT 0
);
CREATE TABLE hub_part (
    upload_id    TEXT NOT NULL REFERENCES hub_upload (upload_id),
    part         BIGINT NOT NULL,
    md5          TEXT NOT NULL,
    size_bytes   BIGINT NOT NULL,
    PRIMARY KEY (upload_id, part)
);
CREATE TABLE hub_sample (
    physical_sample_id TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL UNIQUE,
    made_at_us   BIGINT NOT NULL
);
CREATE TABLE hub_project (
    project_id   TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    name_key     TEXT NOT NULL UNIQUE,
    made_at_us   BIGINT NOT NULL
);
CREATE TABLE hub_tracking (
    project_id   TEXT NOT NULL REFERENCES hub_project (project_id),
    physical_sample_id TEXT NOT NULL REFERENCES hub_sample (physical_sample_id),
    active       BIGINT NOT NULL,
    PRIMARY KEY (project_id, physical_sample_id)
);
CREATE TABLE hub_secret (
    one          BIGINT PRIMARY KEY CHECK (one = 1),
    secret       BYTEA NOT NULL
);
CREATE TABLE hub_key (
    key_id       TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    key_sha256   BYTEA NOT NULL UNIQUE,
    scopes       TEXT NOT NULL,
    day_bytes    BIGINT NOT NULL,
    made_at_us   BIGINT NOT NULL,
    revoked_at_us BIGINT
);
CREATE TABLE hub_usage (
    key_id       TEXT NOT NULL,
    day          BIGINT NOT NULL,
    bytes        BIGINT NOT NULL,
    uploads      BIGINT NOT NULL,
    PRIMARY KEY (key_id, day)
);
CREATE TABLE hub_member (
    batch_data_id TEXT NOT NULL,
    data_id      TEXT NOT NULL,
    PRIMARY KEY (batch_data_id, data_id)
);
CREATE INDEX hub_upload_record ON hub_upload (record_id, sha256) WHERE record_id <> '';
CREATE INDEX hub_upload_untaken ON hub_upload (finished_at_us) WHERE taken = 0 AND finished_at_us IS NOT NULL;
CREATE INDEX hub_upload_touched ON hub_upload (touched_at_us);
CREATE INDEX hub_upload_named ON hub_upload (substr(file_name, 1, 36));
"""
