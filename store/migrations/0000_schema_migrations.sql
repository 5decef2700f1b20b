-- What has been applied. This file is run on every start; it makes the table in
-- which the others are recorded.
CREATE TABLE IF NOT EXISTS {{local "schema_migrations"}}{{.OnCluster}}
(
    name       String                COMMENT 'File name of the migration',
    checksum   FixedString(64)       COMMENT 'SHA-256 of the file as it was applied, in hexadecimal; a file that differs is refused',
    applied_at DateTime64(3, 'UTC')  COMMENT 'When it was applied'
)
ENGINE = {{engine "ReplacingMergeTree"}}
ORDER BY name
COMMENT 'Migrations that were applied to this database';

{{distributed "schema_migrations" "cityHash64(name)"}}
