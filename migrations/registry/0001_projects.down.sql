-- Takes the list of projects away; the project databases themselves stay.
DROP TABLE public.projects;
DROP FUNCTION public.update_updated_at_column();
