-- Takes every type, every record and all their history away; nothing brings them back.
DROP SCHEMA workflow CASCADE;
