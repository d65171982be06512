#!/bin/sh
# Collect the interface texts into locale/en and compile them. The source texts are Chinese.
set -eu
cd "$(dirname "$0")/.."
for program in xgettext msgmerge msgfmt; do
    command -v $program >/dev/null 2>&1 || {
        echo "需要 gettext(Debian/Ubuntu: apt install gettext) · gettext is needed: $program was not found" >&2
        exit 1
    }
done
.venv/bin/python manage.py makemessages --locale en --no-location --no-wrap \
    --ignore '.venv/*' --ignore 'static/vendor/*' --ignore 'tests/*' --ignore 'var/*' --ignore 'artefacts/*'
.venv/bin/python manage.py compilemessages --locale en --ignore '.venv'
