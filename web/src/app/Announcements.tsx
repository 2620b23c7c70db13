import { dismissAnnouncement, inLanguage, unread, useAnnouncements } from "@/app/announcements";
import type { Announcement } from "@/lib/api/types";
import { t, useLanguage } from "@/lib/i18n";

const TONES = {
  info: "bg-accent/15",
  warning: "bg-warn/15",
  critical: "bg-sell/15",
} as const;

/** What the operator tells everybody, until the user puts it away. */
export function Announcements() {
  const told = useAnnouncements();
  const open = unread(told);
  if (!open.length) return null;
  return (
    <section aria-label={t("announcement.label")}>
      {open.map((one) => (
        <One key={one.announcement_id} announcement={one} />
      ))}
    </section>
  );
}

function One({ announcement }: { readonly announcement: Announcement }) {
  const { tag, text } = inLanguage(announcement.texts, useLanguage().tag);
  const severity = announcement.severity;
  return (
    <div
      role={severity === "critical" ? "alert" : undefined}
      data-severity={severity}
      className={`flex items-center gap-3 px-3 py-1.5 text-text ${TONES[severity]}`}
    >
      <p className="min-w-0 flex-1 break-words text-center">
        <strong className="font-semibold">{t(`announcement.${severity}`)}</strong>{" "}
        <span lang={tag} dir="auto">
          {text}
        </span>
      </p>
      <button
        type="button"
        aria-label={t("announcement.dismiss")}
        title={t("announcement.dismiss")}
        onClick={() => dismissAnnouncement(announcement.announcement_id)}
        className="grid size-7 shrink-0 place-items-center rounded-md text-text hover:bg-raised"
      >
        <svg viewBox="0 0 16 16" className="size-4" aria-hidden="true">
          <path d="M4 4l8 8M12 4l-8 8" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" />
        </svg>
      </button>
    </div>
  );
}
