-- Takes every secret away, and the log of who has read which; nothing brings them back.
DROP SCHEMA vault CASCADE;
