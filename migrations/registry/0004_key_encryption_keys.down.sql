-- Takes only the names of keys away: the keys stay with their providers, and secrets stay encrypted.
DROP TABLE public.key_encryption_keys;
