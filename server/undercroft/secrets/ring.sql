-- get_active --
-- The key-encryption key that wraps now.
SELECT id, provider FROM public.key_encryption_keys WHERE retired_at IS NULL;

-- get_key --
-- Which provider has a key-encryption key.
SELECT provider FROM public.key_encryption_keys WHERE id = $1;

-- list_keys --
-- Every key-encryption key that was ever used, the newest first.
SELECT id, provider, created_at, retired_at FROM public.key_encryption_keys
ORDER BY retired_at IS NULL DESC, created_at DESC;

-- insert_key --
-- A first key-encryption key, unless one wraps already.
INSERT INTO public.key_encryption_keys (id, provider) VALUES ($1, $2)
ON CONFLICT DO NOTHING
RETURNING id;

-- retire_key --
-- Let a key-encryption key only unwrap from now on; no row where another wraps by now.
UPDATE public.key_encryption_keys SET retired_at = clock_timestamp()
WHERE id = $1 AND retired_at IS NULL
RETURNING id;

-- activate_key --
-- A key-encryption key that wraps from now on, perhaps one that did before.
INSERT INTO public.key_encryption_keys (id, provider) VALUES ($1, $2)
ON CONFLICT (id) DO UPDATE SET retired_at = NULL, provider = EXCLUDED.provider
RETURNING id;
