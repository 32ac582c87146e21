DROP VIEW workflow.epics, workflow.issues, workflow.tasks, workflow.audit_log;
DROP TABLE workflow.comments, workflow.work_history, workflow.work_links, workflow.work_items,
    workflow.work_transitions, workflow.work_statuses, workflow.work_kinds, workflow.work_graph;
DROP SEQUENCE workflow.work_numbers;
DROP FUNCTION workflow.new_work_id(), workflow.work_key_between(numeric, numeric),
    workflow.work_progress(text), workflow.work_reaches(text, boolean, text, boolean, text),
    workflow.take_work_graph(), workflow.add_work_blockers(text[], integer),
    workflow.share_work_parent(text), workflow.check_new_work(), workflow.check_work_change(),
    workflow.refuse_late_heartbeat(), workflow.follow_work_change(), workflow.record_work_history(),
    workflow.lock_work_graph(), workflow.follow_work_link(),
    workflow.delete_work(text, integer, text, text), workflow.restore_work(text, integer, text, text);
DROP DOMAIN workflow.moment;
