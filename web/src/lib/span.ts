/** How long something lasts, as a clock: `2 days 03:04:05`. */
import { t } from "@/lib/i18n";

const DAY = 86_400;

export function spanText(seconds: number): string {
  const left = Math.max(0, Math.floor(seconds));
  const two = (value: number) => `${value}`.padStart(2, "0");
  const clock = `${two(Math.floor((left % DAY) / 3_600))}:${two(Math.floor((left % 3_600) / 60))}:${two(left % 60)}`;
  const days = Math.floor(left / DAY);
  return days ? `${t("leave.days", { count: days })} ${clock}` : clock;
}
