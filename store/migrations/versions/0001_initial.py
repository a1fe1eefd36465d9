"""The first schema: every table of the blueprint, and an audit chain that can only grow."""

import sqlalchemy as sa
from alembic import op

from store.types import UtcDateTime

revision = "0001"
down_revision = None

APPEND_ONLY = {
    "sqlite": [
        """CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END""",
        """CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
        BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END""",
    ],
    "postgresql": [
        """CREATE FUNCTION audit_only_grows() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit log only grows'; END $$""",
        """CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit
        FOR EACH ROW EXECUTE FUNCTION audit_only_grows()""",
        """CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_only_grows()""",
    ],
}


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "account",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("armed", sa.Boolean(), nullable=False),
        sa.Column("last_success_at", UtcDateTime(), nullable=True),
        sa.Column("last_try_at", UtcDateTime(), nullable=True),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("quota", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "state IN ('ok', 'paused', 'unauthorized', 'rate_limited')", name=op.f("ck_account_state_known")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("name", name=op.f("uq_account_name")),
    )
    op.create_table(
        "audit",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("happened_at", UtcDateTime(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("hashes", sa.JSON(), nullable=False),
        sa.Column("prev", sa.String(), nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit")),
    )
    op.create_table(
        "content",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("record_class", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=True),
        sa.Column("media", sa.JSON(), nullable=True),
        sa.Column("raw", sa.LargeBinary(), nullable=True),
        sa.Column("derived_from", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("legal_hold", sa.Boolean(), nullable=False),
        sa.Column("sealed_at", UtcDateTime(), nullable=True),
        sa.Column("disposed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["derived_from"], ["content.id"], name=op.f("fk_content_derived_from")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content")),
    )
    op.create_index("ix_content_derived_from", "content", ["derived_from"], unique=False)
    op.create_table(
        "department",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
        sa.UniqueConstraint("name", name=op.f("uq_department_name")),
    )
    op.create_table(
        "identity",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("platform_user_id", sa.String(), nullable=False),
        sa.Column("handle", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("first_seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity")),
        sa.UniqueConstraint("platform", "platform_user_id", name=op.f("uq_identity_platform_platform_user_id")),
    )
    op.create_table(
        "mention_rollup",
        sa.Column("dimension", sa.String(), nullable=False),
        sa.Column("about", sa.String(), nullable=False),
        sa.Column("quarter", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value", sa.String(), nullable=False),
        sa.Column("accounts", sa.String(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("felt", sa.Integer(), nullable=False),
        sa.Column("sentiment_sum", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("dimension", "about", "quarter", "value", "accounts", name=op.f("pk_mention_rollup")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mention_rollup_quarter", "mention_rollup", ["quarter"], unique=False)
    op.create_table(
        "resident",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_resident")),
    )
    op.create_table(
        "rollup_due",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollup_due")),
    )
    op.create_index(op.f("ix_rollup_due_posted_at"), "rollup_due", ["posted_at"], unique=False)
    op.create_table(
        "setting",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.JSON(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_setting")),
    )
    op.create_table(
        "staff",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("email", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=True),
        sa.Column("link_hash", sa.String(), nullable=True),
        sa.Column("link_until", UtcDateTime(), nullable=True),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("email", name=op.f("uq_staff_email")),
    )
    op.create_table(
        "work",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("not_before", UtcDateTime(), nullable=False),
        sa.Column("worker", sa.String(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("state IN ('ready', 'leased', 'done', 'dead')", name=op.f("ck_work_state_known")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_work")),
        sa.UniqueConstraint("kind", "ref", name=op.f("uq_work_kind_ref")),
    )
    op.create_index("ix_work_due", "work", ["state", "not_before"], unique=False)
    op.create_table(
        "answer_once",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("principal", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("request_sha", sa.String(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("content_id", sa.Integer(), nullable=True),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_answer_once_content_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answer_once")),
        sa.UniqueConstraint("principal", "key", name=op.f("uq_answer_once_principal_key")),
    )
    op.create_table(
        "api_token",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.Column("disabled_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "role IN ('viewer', 'responder', 'approver', 'admin')", name=op.f("ck_api_token_role_known")
        ),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_api_token_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_token")),
        sa.UniqueConstraint("name", name=op.f("uq_api_token_name")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_api_token_token_hash")),
    )
    op.create_table(
        "contact_rule",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.Integer(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=True),
        sa.CheckConstraint("scope IN ('replies', 'follow_ups', 'all')", name=op.f("ck_contact_rule_scope_known")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_contact_rule_identity_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_rule")),
    )
    op.create_index(op.f("ix_contact_rule_identity_id"), "contact_rule", ["identity_id"], unique=False)
    op.create_table(
        "conversation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("conversation_key", sa.String(), nullable=False),
        sa.Column("last_seq", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=True),
        sa.Column("claimed_by_id", sa.Integer(), nullable=True),
        sa.Column("claimed_at", UtcDateTime(), nullable=True),
        sa.Column("held_reason", sa.String(), nullable=True),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("incident_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["claimed_by_id"], ["staff.id"], name=op.f("fk_conversation_claimed_by_id")),
        sa.ForeignKeyConstraint(["owner_id"], ["staff.id"], name=op.f("fk_conversation_owner_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation")),
        sa.UniqueConstraint("platform", "conversation_key", name=op.f("uq_conversation_platform_conversation_key")),
    )
    op.create_table(
        "gap",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("from_at", UtcDateTime(), nullable=True),
        sa.Column("to_at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("noticed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_gap_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap")),
        sa.UniqueConstraint("account_id", "source", "to_at", name=op.f("uq_gap_account_id_source_to_at")),
    )
    op.create_table(
        "identity_link",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.Integer(), nullable=False),
        sa.Column("resident_id", sa.Integer(), nullable=False),
        sa.Column("basis", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("linked_at", UtcDateTime(), nullable=False),
        sa.Column("parted_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint(
            "basis IN ('given_by_resident', 'confirmed_by_staff')", name=op.f("ck_identity_link_basis_known")
        ),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_identity_link_identity_id")),
        sa.ForeignKeyConstraint(["resident_id"], ["resident.id"], name=op.f("fk_identity_link_resident_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_identity_link")),
    )
    op.create_index(
        "uq_identity_link_live",
        "identity_link",
        ["identity_id"],
        unique=True,
        sqlite_where=sa.text("parted_at IS NULL"),
        postgresql_where=sa.text("parted_at IS NULL"),
    )
    op.create_table(
        "place",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=True),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("long", sa.Float(), nullable=True),
        sa.Column("neighborhood", sa.String(), nullable=True),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("precise", sa.Boolean(), nullable=False),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.CheckConstraint("source IN ('post', 'thread', 'geotag', 'staff')", name=op.f("ck_place_source_known")),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_place_content_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_place")),
    )
    op.create_table(
        "service_request",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("token", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("service_code", sa.String(), nullable=False),
        sa.Column("service_name", sa.String(), nullable=False),
        sa.Column("department_id", sa.Integer(), nullable=True),
        sa.Column("description_id", sa.Integer(), nullable=False),
        sa.Column("public_description", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("long", sa.Float(), nullable=True),
        sa.Column("neighborhood", sa.String(), nullable=True),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("status_notes_id", sa.Integer(), nullable=True),
        sa.Column("requested_at", UtcDateTime(), nullable=False),
        sa.Column("clock_started_at", UtcDateTime(), nullable=True),
        sa.Column("paused_at", UtcDateTime(), nullable=True),
        sa.Column("paused_for_s", sa.Integer(), nullable=False),
        sa.Column("expected_at", UtcDateTime(), nullable=True),
        sa.Column("expected_basis", sa.String(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.Column("merged_into", sa.Integer(), nullable=True),
        sa.Column("reopened_from", sa.Integer(), nullable=True),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "outcome IS NULL OR outcome IN ('fixed', 'no_action', 'not_found', 'duplicate', 'referred', 'not_ours', 'cancelled', 'unknown')",
            name=op.f("ck_service_request_outcome_known"),
        ),
        sa.CheckConstraint(
            "status IN ('proposed', 'open', 'closed', 'cancelled')", name=op.f("ck_service_request_status_known")
        ),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_service_request_department_id")),
        sa.ForeignKeyConstraint(["description_id"], ["content.id"], name=op.f("fk_service_request_description_id")),
        sa.ForeignKeyConstraint(["merged_into"], ["service_request.id"], name=op.f("fk_service_request_merged_into")),
        sa.ForeignKeyConstraint(
            ["reopened_from"], ["service_request.id"], name=op.f("fk_service_request_reopened_from")
        ),
        sa.ForeignKeyConstraint(["status_notes_id"], ["content.id"], name=op.f("fk_service_request_status_notes_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_request")),
        sa.UniqueConstraint("reference", name=op.f("uq_service_request_reference")),
        sa.UniqueConstraint("token", name=op.f("uq_service_request_token")),
    )
    op.create_index("ix_service_request_status_code", "service_request", ["status", "service_code"], unique=False)
    op.create_table(
        "source_range",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("since_id", sa.String(), nullable=True),
        sa.Column("resume_at", sa.String(), nullable=True),
        sa.Column("newest_id", sa.String(), nullable=True),
        sa.Column("newest_at", UtcDateTime(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_source_range_account_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_source_range")),
    )
    op.create_index("ix_source_range_open", "source_range", ["account_id", "source", "open"], unique=False)
    op.create_table(
        "staff_grant",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("scope", sa.String(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("department_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "role IN ('viewer', 'responder', 'approver', 'admin')", name=op.f("ck_staff_grant_role_known")
        ),
        sa.CheckConstraint("scope IN ('all', 'account', 'department')", name=op.f("ck_staff_grant_scope_known")),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_staff_grant_account_id")),
        sa.ForeignKeyConstraint(["department_id"], ["department.id"], name=op.f("fk_staff_grant_department_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_staff_grant_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff_grant")),
    )
    op.create_index(op.f("ix_staff_grant_staff_id"), "staff_grant", ["staff_id"], unique=False)
    op.create_table(
        "web_session",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("token_hash", sa.String(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_web_session_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_web_session")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_web_session_token_hash")),
    )
    op.create_index(op.f("ix_web_session_staff_id"), "web_session", ["staff_id"], unique=False)
    op.create_table(
        "mention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("current_post_id", sa.String(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("identity_id", sa.Integer(), nullable=True),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("raw_id", sa.Integer(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("in_reply_to", sa.String(), nullable=True),
        sa.Column("quoted_post_id", sa.String(), nullable=True),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=True),
        sa.Column("addresses_us", sa.Boolean(), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("collected_at", UtcDateTime(), nullable=False),
        sa.Column("historic", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("rev_hash", sa.String(), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.Column("place_id", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('new', 'assessed', 'drafted', 'waiting_for_resident', 'filed', 'answered', 'dismissed', 'quarantined', 'deleted')",
            name=op.f("ck_mention_state_known"),
        ),
        sa.CheckConstraint(
            "visibility IN ('public', 'unlisted', 'followers', 'direct')", name=op.f("ck_mention_visibility_known")
        ),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_mention_content_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_mention_conversation_id")),
        sa.ForeignKeyConstraint(["identity_id"], ["identity.id"], name=op.f("fk_mention_identity_id")),
        sa.ForeignKeyConstraint(["place_id"], ["place.id"], name=op.f("fk_mention_place_id")),
        sa.ForeignKeyConstraint(["raw_id"], ["content.id"], name=op.f("fk_mention_raw_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mention")),
        sa.UniqueConstraint("platform", "post_id", name=op.f("uq_mention_platform_post_id")),
    )
    op.create_index(op.f("ix_mention_conversation_id"), "mention", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_mention_current_post_id"), "mention", ["current_post_id"], unique=False)
    op.create_index(op.f("ix_mention_identity_id"), "mention", ["identity_id"], unique=False)
    op.create_index(op.f("ix_mention_in_reply_to"), "mention", ["in_reply_to"], unique=False)
    op.create_index(op.f("ix_mention_place_id"), "mention", ["place_id"], unique=False)
    op.create_index("ix_mention_posted", "mention", ["posted_at"], unique=False)
    op.create_index("ix_mention_state_posted", "mention", ["state", "posted_at"], unique=False)
    op.create_table(
        "note",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_note_content_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_note_conversation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_note")),
    )
    op.create_index(op.f("ix_note_conversation_id"), "note", ["conversation_id"], unique=False)
    op.create_table(
        "own_post",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("in_reply_to", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("posted_at", UtcDateTime(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_own_post_account_id")),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_own_post_content_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_own_post_conversation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_own_post")),
        sa.UniqueConstraint("platform", "post_id", name=op.f("uq_own_post_platform_post_id")),
    )
    op.create_index(op.f("ix_own_post_conversation_id"), "own_post", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_own_post_in_reply_to"), "own_post", ["in_reply_to"], unique=False)
    op.create_table(
        "request_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("happened_at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.ForeignKeyConstraint(["request_id"], ["service_request.id"], name=op.f("fk_request_event_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_event")),
    )
    op.create_index(op.f("ix_request_event_request_id"), "request_event", ["request_id"], unique=False)
    op.create_table(
        "ticket",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("crm", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("service_request_id", sa.String(), nullable=True),
        sa.Column("token", sa.String(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("give_up_reply_wait_at", UtcDateTime(), nullable=True),
        sa.Column("updated_at", UtcDateTime(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'sending', 'in_doubt', 'open', 'failed', 'closed', 'cancelled', 'dry_run')",
            name=op.f("ck_ticket_state_known"),
        ),
        sa.ForeignKeyConstraint(["request_id"], ["service_request.id"], name=op.f("fk_ticket_request_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket")),
        sa.UniqueConstraint("key", name=op.f("uq_ticket_key")),
        sa.UniqueConstraint("request_id", "crm", "turn", name=op.f("uq_ticket_request_id_crm_turn")),
    )
    op.create_index(op.f("ix_ticket_request_id"), "ticket", ["request_id"], unique=False)
    op.create_index(op.f("ix_ticket_service_request_id"), "ticket", ["service_request_id"], unique=False)
    op.create_table(
        "alarm",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("self_harm", sa.Boolean(), nullable=False),
        sa.Column("repeats", sa.Integer(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("recipients", sa.JSON(), nullable=False),
        sa.Column("notified", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("last_notified_at", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(), nullable=True),
        sa.Column("escalated_at", UtcDateTime(), nullable=True),
        sa.Column("acknowledged_by", sa.String(), nullable=True),
        sa.Column("acknowledged_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_alarm_conversation_id")),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_alarm_mention_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_alarm")),
    )
    op.create_index(op.f("ix_alarm_mention_id"), "alarm", ["mention_id"], unique=False)
    op.create_index(
        "uq_alarm_open",
        "alarm",
        ["conversation_id"],
        unique=True,
        sqlite_where=sa.text("outcome IS NULL"),
        postgresql_where=sa.text("outcome IS NULL"),
    )
    op.create_table(
        "assessment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(), nullable=False),
        sa.Column("intent", sa.String(), nullable=False),
        sa.Column("service_code", sa.String(), nullable=True),
        sa.Column("sentiment", sa.String(), nullable=False),
        sa.Column("urgency", sa.String(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("please_check", sa.JSON(), nullable=False),
        sa.Column("signal", sa.String(), nullable=True),
        sa.Column("assessed_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("urgency IN ('emergency', 'high', 'normal')", name=op.f("ck_assessment_urgency_known")),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_assessment_mention_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessment")),
        sa.UniqueConstraint("mention_id", "rev", "model", name=op.f("uq_assessment_mention_id_rev_model")),
    )
    op.create_index(op.f("ix_assessment_mention_id"), "assessment", ["mention_id"], unique=False)
    op.create_table(
        "attention",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=True),
        sa.Column("mention_id", sa.Integer(), nullable=True),
        sa.Column("content_id", sa.Integer(), nullable=True),
        sa.Column("summary", sa.String(), nullable=False),
        sa.Column("remedy", sa.String(), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("owner", sa.String(), nullable=True),
        sa.Column("acked_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("outcome", sa.String(), nullable=True),
        sa.Column("closed_by", sa.String(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_attention_account_id")),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_attention_content_id")),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_attention_mention_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attention")),
    )
    op.create_index(
        "uq_attention_open",
        "attention",
        ["kind", "ref"],
        unique=True,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )
    op.create_table(
        "correction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("field", sa.String(), nullable=False),
        sa.Column("was", sa.String(), nullable=True),
        sa.Column("value", sa.String(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "field IN ('intent', 'service_code', 'sentiment', 'urgency')", name=op.f("ck_correction_field_known")
        ),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_correction_mention_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(op.f("ix_correction_mention_id"), "correction", ["mention_id"], unique=False)
    op.create_table(
        "dismissal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("made_at", UtcDateTime(), nullable=False),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_dismissal_mention_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dismissal")),
    )
    op.create_index(op.f("ix_dismissal_mention_id"), "dismissal", ["mention_id"], unique=False)
    op.create_table(
        "draft",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("conversation_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("language", sa.String(), nullable=False),
        sa.Column("reply_as_id", sa.Integer(), nullable=False),
        sa.Column("addressee_id", sa.Integer(), nullable=True),
        sa.Column("conversation_seq", sa.Integer(), nullable=False),
        sa.Column("rev_hash", sa.String(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("staff_content_id", sa.Integer(), nullable=True),
        sa.Column("template", sa.String(), nullable=False),
        sa.Column("visibility", sa.String(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("held_reason", sa.String(), nullable=True),
        sa.Column("no_text_reason", sa.String(), nullable=False),
        sa.Column("edited_by", sa.String(), nullable=True),
        sa.Column("request_id", sa.Integer(), nullable=True),
        sa.Column("send_after", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("would_send", sa.JSON(), nullable=True),
        sa.Column("would_send_text_id", sa.Integer(), nullable=True),
        sa.Column("superseded_by", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('reply', 'follow_up', 'request_only')", name=op.f("ck_draft_kind_known")),
        sa.CheckConstraint(
            "purpose IN ('answer', 'clarify', 'referral', 'follow_up', 'emergency', 'correction')",
            name=op.f("ck_draft_purpose_known"),
        ),
        sa.CheckConstraint(
            "state IN ('pending', 'held', 'approved', 'sending', 'in_doubt', 'sent', 'failed', 'rejected', 'expired', 'superseded', 'cancelled', 'manual', 'dry_run', 'retracted')",
            name=op.f("ck_draft_state_known"),
        ),
        sa.CheckConstraint(
            "visibility IN ('public', 'unlisted', 'followers', 'direct')", name=op.f("ck_draft_visibility_known")
        ),
        sa.ForeignKeyConstraint(["addressee_id"], ["identity.id"], name=op.f("fk_draft_addressee_id")),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_draft_content_id")),
        sa.ForeignKeyConstraint(["conversation_id"], ["conversation.id"], name=op.f("fk_draft_conversation_id")),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_draft_mention_id")),
        sa.ForeignKeyConstraint(["reply_as_id"], ["account.id"], name=op.f("fk_draft_reply_as_id")),
        sa.ForeignKeyConstraint(["request_id"], ["service_request.id"], name=op.f("fk_draft_request_id")),
        sa.ForeignKeyConstraint(["staff_content_id"], ["content.id"], name=op.f("fk_draft_staff_content_id")),
        sa.ForeignKeyConstraint(["would_send_text_id"], ["content.id"], name=op.f("fk_draft_would_send_text_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_draft")),
        sa.UniqueConstraint("mention_id", "turn", "ordinal", name=op.f("uq_draft_mention_id_turn_ordinal")),
    )
    op.create_index(op.f("ix_draft_conversation_id"), "draft", ["conversation_id"], unique=False)
    op.create_index(op.f("ix_draft_mention_id"), "draft", ["mention_id"], unique=False)
    op.create_index(op.f("ix_draft_request_id"), "draft", ["request_id"], unique=False)
    op.create_index("ix_draft_state_created", "draft", ["state", "created_at"], unique=False)
    op.create_index(
        "uq_draft_live",
        "draft",
        ["mention_id", "turn"],
        unique=True,
        sqlite_where=sa.text("state IN ('pending','held','approved','sending','in_doubt','manual')"),
        postgresql_where=sa.text("state IN ('pending','held','approved','sending','in_doubt','manual')"),
    )
    op.create_table(
        "mention_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False),
        sa.Column("rev_hash", sa.String(), nullable=False),
        sa.Column("post_id", sa.String(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_mention_revision_content_id")),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_mention_revision_mention_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mention_revision")),
        sa.UniqueConstraint("mention_id", "rev", name=op.f("uq_mention_revision_mention_id_rev")),
    )
    op.create_index(op.f("ix_mention_revision_post_id"), "mention_revision", ["post_id"], unique=False)
    op.create_table(
        "mention_source",
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("heard_how", sa.String(), nullable=False),
        sa.Column("heard_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "heard_how IN ('mention', 'quote', 'reply', 'page_comment', 'tagged', 'search', 'webhook', 'direct', 'desk', 'import')",
            name=op.f("ck_mention_source_heard_how_known"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_mention_source_account_id")),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_mention_source_mention_id")),
        sa.PrimaryKeyConstraint("mention_id", "account_id", "heard_how", name=op.f("pk_mention_source")),
    )
    op.create_table(
        "request_mention",
        sa.Column("request_id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("added_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "role IN ('reporter', 'also_affected', 'update')", name=op.f("ck_request_mention_role_known")
        ),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_request_mention_mention_id")),
        sa.ForeignKeyConstraint(["request_id"], ["service_request.id"], name=op.f("fk_request_mention_request_id")),
        sa.PrimaryKeyConstraint("request_id", "mention_id", name=op.f("pk_request_mention")),
    )
    op.create_index(op.f("ix_request_mention_mention_id"), "request_mention", ["mention_id"], unique=False)
    op.create_table(
        "approval",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=False),
        sa.Column("staff_id", sa.Integer(), nullable=True),
        sa.Column("token_id", sa.Integer(), nullable=True),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("approved_at", UtcDateTime(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("text_sha", sa.String(), nullable=False),
        sa.Column("parts", sa.JSON(), nullable=False),
        sa.Column("diff_id", sa.Integer(), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("(staff_id IS NULL) <> (token_id IS NULL)", name=op.f("ck_approval_one_principal")),
        sa.ForeignKeyConstraint(["diff_id"], ["content.id"], name=op.f("fk_approval_diff_id")),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_approval_draft_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_approval_staff_id")),
        sa.ForeignKeyConstraint(["token_id"], ["api_token.id"], name=op.f("fk_approval_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval")),
    )
    op.create_index(op.f("ix_approval_draft_id"), "approval", ["draft_id"], unique=False)
    op.create_table(
        "reply",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("mention_id", sa.Integer(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=True),
        sa.Column("account_id", sa.Integer(), nullable=False),
        sa.Column("origin", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("content_id", sa.Integer(), nullable=False),
        sa.Column("text_sha", sa.String(), nullable=False),
        sa.Column("in_reply_to", sa.String(), nullable=False),
        sa.Column("addressee", sa.String(), nullable=True),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("not_before", UtcDateTime(), nullable=True),
        sa.Column("post_id", sa.String(), nullable=True),
        sa.Column("url", sa.String(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(), nullable=True),
        sa.Column("retract_reason", sa.String(), nullable=True),
        sa.CheckConstraint("origin IN ('harken', 'native')", name=op.f("ck_reply_origin_known")),
        sa.CheckConstraint(
            "state IN ('approved', 'sending', 'in_doubt', 'sent', 'failed', 'cancelled', 'manual', 'dry_run', 'retracted')",
            name=op.f("ck_reply_state_known"),
        ),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_reply_account_id")),
        sa.ForeignKeyConstraint(["content_id"], ["content.id"], name=op.f("fk_reply_content_id")),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_reply_draft_id")),
        sa.ForeignKeyConstraint(["mention_id"], ["mention.id"], name=op.f("fk_reply_mention_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reply")),
        sa.UniqueConstraint("key", name=op.f("uq_reply_key")),
    )
    op.create_index(op.f("ix_reply_draft_id"), "reply", ["draft_id"], unique=False)
    op.create_index(op.f("ix_reply_mention_id"), "reply", ["mention_id"], unique=False)
    op.create_index(op.f("ix_reply_post_id"), "reply", ["post_id"], unique=False)
    op.create_index(
        "uq_reply_live",
        "reply",
        ["mention_id", "turn"],
        unique=True,
        sqlite_where=sa.text("state IN ('approved','sending','in_doubt','sent','manual')"),
        postgresql_where=sa.text("state IN ('approved','sending','in_doubt','sent','manual')"),
    )
    op.create_table(
        "request_proposal",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("draft_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("service_code", sa.String(), nullable=False),
        sa.Column("description_id", sa.Integer(), nullable=False),
        sa.Column("public_description", sa.String(), nullable=False),
        sa.Column("address", sa.String(), nullable=False),
        sa.Column("lat", sa.Float(), nullable=True),
        sa.Column("long", sa.Float(), nullable=True),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("attach_to", sa.Integer(), nullable=True),
        sa.CheckConstraint(
            "state IN ('pending', 'approved', 'rejected', 'cancelled')", name=op.f("ck_request_proposal_state_known")
        ),
        sa.ForeignKeyConstraint(["attach_to"], ["service_request.id"], name=op.f("fk_request_proposal_attach_to")),
        sa.ForeignKeyConstraint(["description_id"], ["content.id"], name=op.f("fk_request_proposal_description_id")),
        sa.ForeignKeyConstraint(["draft_id"], ["draft.id"], name=op.f("fk_request_proposal_draft_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_request_proposal")),
        sa.UniqueConstraint("draft_id", name=op.f("uq_request_proposal_draft_id")),
    )
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    """Undo."""
    for table in TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_only_grows()")


#: Those that point at others come first.
TABLES = (
    "request_proposal",
    "reply",
    "approval",
    "request_mention",
    "mention_source",
    "mention_revision",
    "draft",
    "dismissal",
    "correction",
    "attention",
    "assessment",
    "alarm",
    "ticket",
    "request_event",
    "own_post",
    "note",
    "mention",
    "web_session",
    "staff_grant",
    "source_range",
    "service_request",
    "place",
    "identity_link",
    "gap",
    "conversation",
    "contact_rule",
    "api_token",
    "answer_once",
    "work",
    "staff",
    "setting",
    "rollup_due",
    "resident",
    "mention_rollup",
    "identity",
    "department",
    "content",
    "audit",
    "account",
)
