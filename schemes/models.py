"""A notice as data: scheme, its dated versions, and in each the sections, rows, clauses, rules, deadlines and doubts.

A version is immutable once issued: what changes is a new version. The vocabulary is docs/scheme-format.md.
"""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from accounts.models import Office


class Scheme(models.Model):
    """A line of yearly notices (考核方案), e.g. jiaxing-2017 as first imported and its later years."""

    key = models.SlugField(_("代号"), max_length=60, unique=True)
    title = models.CharField(_("名称"), max_length=200)

    class Meta:
        verbose_name = _("考核方案")
        default_permissions = ()

    def __str__(self) -> str:
        return self.title


class SchemeVersion(models.Model):
    """One year's notice, one edition of it."""

    class Status(models.TextChoices):
        DRAFT = "draft", _("待下达")
        ISSUED = "issued", _("已下达")

    scheme = models.ForeignKey(Scheme, on_delete=models.PROTECT, related_name="versions")
    year = models.PositiveIntegerField(_("年度"))
    number = models.PositiveIntegerField(_("版次"))
    status = models.CharField(_("状态"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    title = models.CharField(_("标题"), max_length=200)
    issuer = models.CharField(_("发文机关"), max_length=120, blank=True)
    issued_on = models.DateField(_("印发日期"), null=True)
    points = models.DecimalField(_("总分"), max_digits=12, decimal_places=6, null=True)
    source_file = models.CharField(max_length=200, blank=True)
    source_sha256 = models.CharField(max_length=64, blank=True)
    digest = models.CharField(_("内容摘要"), max_length=64)
    reporting_cycle = models.JSONField(_("申报周期"), default=dict)
    settings = models.JSONField(_("方案设定"), default=dict)
    differences = models.JSONField(_("已声明的差额"), default=list)
    bonus = models.JSONField(_("加分"), null=True)
    groups = models.JSONField(_("统称"), default=list)
    unit = models.ForeignKey(
        Office, verbose_name=_("被考核单位"), on_delete=models.PROTECT, related_name="+", null=True
    )
    rolled_from = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="rolled_to")
    imported_at = models.DateTimeField(_("导入时间"))
    issued_at = models.DateTimeField(_("下达时间"), null=True)

    class Meta:
        verbose_name = _("方案版本")
        default_permissions = ()
        ordering = ["-year", "-number"]
        constraints = [
            models.UniqueConstraint(fields=["scheme", "year", "number"], name="one_version_number_per_scheme_and_year"),
            models.CheckConstraint(
                condition=Q(status="draft", issued_at=None) | Q(status="issued", issued_at__isnull=False),
                name="issued_versions_have_a_time",
            ),
        ]

    def __str__(self) -> str:
        return self.title


class Section(models.Model):
    version = models.ForeignKey(SchemeVersion, on_delete=models.CASCADE, related_name="sections")
    position = models.PositiveIntegerField()
    no = models.CharField(max_length=10)
    title = models.CharField(max_length=200)
    points = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    line = models.PositiveIntegerField()

    class Meta:
        default_permissions = ()
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["version", "position"], name="one_section_per_position")]


class Indicator(models.Model):
    """A row of the breakdown: whatever has a points cell of its own."""

    version = models.ForeignKey(SchemeVersion, on_delete=models.CASCADE, related_name="indicators")
    section = models.ForeignKey(Section, on_delete=models.CASCADE, related_name="indicators")
    position = models.PositiveIntegerField()
    code = models.CharField(_("编号"), max_length=10)
    path = models.JSONField(_("项目"), default=list)
    points = models.DecimalField(_("分值"), max_digits=12, decimal_places=6, null=True)
    line = models.PositiveIntegerField()
    points_line = models.PositiveIntegerField(null=True)
    preamble = models.TextField(null=True)
    preamble_line = models.PositiveIntegerField(null=True)

    class Meta:
        verbose_name = _("指标")
        default_permissions = ()
        ordering = ["section__position", "position"]
        constraints = [models.UniqueConstraint(fields=["version", "code"], name="one_indicator_per_code")]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def title(self) -> str:
        return " · ".join(self.path)


class Clause(models.Model):
    """A numbered (or, `no` null, unnumbered) paragraph of a row, in the notice's words."""

    indicator = models.ForeignKey(Indicator, on_delete=models.CASCADE, related_name="clauses")
    position = models.PositiveIntegerField()
    no = models.PositiveIntegerField(null=True)
    line = models.PositiveIntegerField()
    text = models.TextField()
    points = models.DecimalField(max_digits=12, decimal_places=6, null=True)
    parts = models.JSONField(default=list)
    measures = models.JSONField(default=list)
    unscored = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("条款")
        default_permissions = ()
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["indicator", "position"], name="one_clause_per_position"),
            models.UniqueConstraint(fields=["indicator", "no"], condition=~Q(no=None), name="one_clause_per_number"),
        ]

    def __str__(self) -> str:
        return self.text[:40]


class ScoringRule(models.Model):
    """A rule of a clause, or (clause null) of its row. `params` is the rule as scoring.rules.parse_rule reads it."""

    indicator = models.ForeignKey(Indicator, on_delete=models.CASCADE, related_name="rules")
    clause = models.ForeignKey(Clause, null=True, on_delete=models.CASCADE, related_name="rules")
    position = models.PositiveIntegerField()
    code = models.CharField(max_length=40)
    kind = models.CharField(max_length=40)
    quote = models.TextField()
    params = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)

    class Meta:
        default_permissions = ()
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["indicator", "code"], name="one_rule_per_code")]


class Deadline(models.Model):
    """A time expression of a clause or (clause null) of its row's preamble; `params` for deadlines.kinds."""

    indicator = models.ForeignKey(Indicator, on_delete=models.CASCADE, related_name="deadlines")
    clause = models.ForeignKey(Clause, null=True, on_delete=models.CASCADE, related_name="deadlines")
    position = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    quote = models.TextField()
    params = models.JSONField(default=dict)

    class Meta:
        default_permissions = ()
        ordering = ["position"]


class Responsibility(models.Model):
    """An office answers for a row, or for some of its clauses, in a role."""

    class Role(models.TextChoices):
        RESPONSIBLE = "responsible", _("责任")
        COLLECT = "collect", _("负责上报")
        PROVIDE = "provide", _("提供材料")
        IMPLEMENT = "implement", _("具体实施")

    indicator = models.ForeignKey(Indicator, on_delete=models.CASCADE, related_name="responsibilities")
    position = models.PositiveIntegerField()
    name = models.CharField(_("原文名称"), max_length=120)
    office = models.ForeignKey(Office, null=True, on_delete=models.PROTECT, related_name="+")
    role = models.CharField(max_length=12, choices=Role.choices)
    clause_numbers = models.JSONField(null=True)
    inherited = models.BooleanField(_("由合并单元格推定"), default=False)
    line = models.PositiveIntegerField(null=True)

    class Meta:
        verbose_name = _("责任")
        default_permissions = ()
        ordering = ["position"]


class Doubt(models.Model):
    """What the text leaves open, and the reading chosen for it."""

    version = models.ForeignKey(SchemeVersion, on_delete=models.CASCADE, related_name="doubts")
    position = models.PositiveIntegerField()
    code = models.CharField(max_length=20)
    kind = models.CharField(max_length=40)
    where = models.CharField(max_length=40, blank=True)
    line = models.PositiveIntegerField(null=True)
    quote = models.TextField(blank=True)
    question = models.TextField()
    reading = models.TextField()

    class Meta:
        verbose_name = _("存疑")
        default_permissions = ()
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["version", "code"], name="one_doubt_per_code")]
